import inspect

from keys import errors


def test_the_drawn_tree_names_every_class_once():
    classes = [name for name, _ in inspect.getmembers(errors, inspect.isclass)]
    drawn = [line.lstrip("│├└─ ").split(" ")[0] for line in errors.__doc__.splitlines()]
    assert sorted(classes) == sorted(name for name in drawn if name in classes)


def test_every_class_is_a_keys_error():
    for _, each in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(each, errors.KeysError)
