"""Read the config that a checkpoint carries as text, without running it."""

import ast
from typing import Any

# A converted training state has a model and no pipeline.
_RGB_PREPROCESSORS = ('ViewsDataPreprocessor', 'PhotometricDataPreprocessor')


def parse_config_text(text: str) -> dict[str, Any]:
    """Parse assignments of literals and ``dict(...)`` calls, which is all that mmengine's ``pretty_text`` writes.

    ``mmengine.Config.fromstring`` would execute the text as Python; a checkpoint from elsewhere must not.

    Raises:
        ValueError: If the text holds anything else.
    """
    return {
        statement.targets[0].id: _value(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def pixels_of_config(cfg: dict[str, Any]) -> dict[str, Any]:
    """What a config says of the images that its model takes.

    Args:
        cfg (dict): A parsed config of any OpenMMLab library.

    Returns:
        dict: ``normalisation``, a dict of ``mean`` and ``std``, and ``channel_order``, ``'RGB'`` or ``'BGR'``, or
        nothing if the config does not say it.
    """
    model = cfg.get('model') or {}
    settings = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if settings.get('mean') is None or settings.get('std') is None:
        return {}
    # OpenMMLab reads images as BGR, this package as RGB; mmpretrain has to_rgb, the others bgr_to_rgb.
    ours = "'LoadAerialImage'" in str(cfg) or settings.get('type') in _RGB_PREPROCESSORS
    is_rgb = settings.get('to_rgb') or settings.get('bgr_to_rgb') or ours
    return dict(
        normalisation=dict(mean=list(settings['mean']), std=list(settings['std'])),
        channel_order='RGB' if is_rgb else 'BGR',
    )


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords) if all(k.arg for k in keywords):
            return {keyword.arg: _value(keyword.value) for keyword in keywords}
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as mapping], keywords=[]):
            return _value(mapping)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Call(func=ast.Name(id='set'), args=[], keywords=[]):
            return set()
    return ast.literal_eval(node)
