from datetime import date

from catalog.models import CatalogModel
from catalog.successors import successor_of


def test_a_model_that_goes_names_one_that_stays() -> None:
    def model(name: str, **fields: object) -> CatalogModel:
        able = {"endpoints": ["chat"], "capabilities": ["tools"]}
        return CatalogModel(name=name, task="Text Generation", classification=able, **fields)

    going = model("@cf/meta/old", planned_deprecation_date=date(2027, 1, 1))
    others = [going, model("@cf/other/big"), model("@cf/meta/new"), model("@cf/meta/off")]
    others[3].enabled = False
    assert successor_of(going, others) is others[2]
    assert successor_of(going, [going]) is None
