"""Models that make pictures: how to build a request, and whether it may hold pictures. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalog.classify.facts import Classification, ImageRecipe, Parameter
from catalog.classify.schema_fields import parameters_of
from catalog.classify.schema_shapes import Schema, Shape, shapes
from catalog.entry import Entry, name_of, whole_number


def text_to_image(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    multipart = any("multipart" in form.properties for form in forms)
    with_prompt = next((form for form in forms if "prompt" in form.properties), None)
    if multipart:
        recipe = _multipart_recipe(properties)
    elif with_prompt:
        recipe = _json_recipe(entry, with_prompt)
    elif forms:
        reason = "it takes no prompt"
        return Classification(refusals={"images": reason, "image_edits": reason})
    else:
        recipe = _unknown_recipe(entry)
    return _with_image_endpoints(recipe)


def _with_image_endpoints(recipe: ImageRecipe) -> Classification:
    endpoints = set()
    refusals = {}
    if recipe.needs_mask:
        refusals["images"] = "it needs an input image and a mask (inpainting)"
    elif recipe.needs_image:
        refusals["images"] = "it needs an input image (image to image)"
    else:
        endpoints.add("images")
    if recipe.takes_image:
        endpoints.add("image_edits")
    else:
        refusals["image_edits"] = "it makes pictures from a prompt alone"
    return Classification(endpoints=frozenset(endpoints), refusals=refusals, image=recipe)


def _json_recipe(entry: Entry, form: Shape) -> ImageRecipe:
    img2img, inpainting = _suffixes(entry)
    image_fields = tuple(f for f in ("image_b64", "image") if f in form.properties)
    needs_mask = inpainting or "mask" in form.required
    needs_image = img2img or needs_mask or any(f in form.required for f in image_fields)
    parameters = parameters_of(form)
    prompt = form.properties["prompt"]
    return ImageRecipe(
        parameters={k: v for k, v in parameters.items() if k not in ("prompt", *image_fields)},
        steps_field=next((f for f in ("num_steps", "steps") if f in parameters), None),
        prompt_min_length=whole_number(prompt.get("minLength")),
        prompt_max_length=whole_number(prompt.get("maxLength")),
        takes_image=bool(image_fields) or needs_image,
        needs_image=needs_image,
        takes_mask="mask" in form.properties,
        needs_mask=needs_mask,
        image_fields=image_fields,
        max_input_images=1 if image_fields or needs_image else 0,
        closed=form.closed,
    )


def _multipart_recipe(properties: Mapping[str, Any]) -> ImageRecipe:
    """The schema says only that a form is sent; the vendor's pages list its fields (2026-09)."""
    side = Parameter("integer", minimum=256, maximum=1920)
    parameters = {
        "width": replace(side, default=1024),
        "height": replace(side, default=768),
        "guidance": Parameter("number"),
        "seed": Parameter("integer", minimum=0),
    }
    # Only a model that charges for steps lets the caller choose them; the others are distilled to
    # four and may reject the field.
    charges_steps = _mentions_step(properties.get("price"))
    if charges_steps:
        parameters["steps"] = Parameter("integer", minimum=1, maximum=50, default=25)
    return ImageRecipe(
        transport="multipart",
        parameters=parameters,
        steps_field="steps" if charges_steps else None,
        prompt_min_length=1,
        takes_image=True,
        image_fields=tuple(f"input_image_{number}" for number in range(4)),
        max_input_images=4,
        closed=True,
    )


def _unknown_recipe(entry: Entry) -> ImageRecipe:
    """No schema: the prompt alone, because a model may refuse fields that it does not know."""
    img2img, inpainting = _suffixes(entry)
    needs_image = img2img or inpainting
    return ImageRecipe(
        takes_image=needs_image,
        needs_image=needs_image,
        takes_mask=inpainting,
        needs_mask=inpainting,
        image_fields=("image",) if needs_image else (),
        max_input_images=1 if needs_image else 0,
        closed=True,
    )


def _suffixes(entry: Entry) -> tuple[bool, bool]:
    name = name_of(entry).lower()
    return name.endswith("-img2img"), name.endswith("-inpainting")


def _mentions_step(prices: object) -> bool:
    return isinstance(prices, list) and any(
        isinstance(price, Mapping) and "step" in str(price.get("unit")).lower() for price in prices
    )
