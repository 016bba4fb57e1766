# Swin-B as pretraining left it; images must have 224 pixels a side or more. pad_small_map would allow less, but it also
# shifts the windows of a 7 x 7 map, so that the last map at 224 pixels would be another than in pretraining.
_base_ = './r50.py'

backbone = dict(
    _delete_=True,
    type='mmpretrain.SwinTransformer',
    arch='base',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.3,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/cmid_swin-b_millionaid.safetensors',
        # Pretraining sees the last map alone; the norms of the other three begin with the task.
        untrained=('norm0', 'norm1', 'norm2'),
    ),
)
channels = [128, 256, 512, 1024]
