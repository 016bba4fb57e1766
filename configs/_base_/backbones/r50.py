# ResNet-50 as pretraining left it (tools/extract_backbone.py). Another pretrained backbone is one line of a config:
#   model = dict(backbone=dict(init_cfg=dict(checkpoint='my_backbone.safetensors')))
backbone = dict(
    type='mmpretrain.ResNet',
    depth=50,
    out_indices=(0, 1, 2, 3),
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/cmid_r50_millionaid.safetensors'),
)
channels = [256, 512, 1024, 2048]
