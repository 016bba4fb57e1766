_base_ = './mae_vit-b_millionaid.py'

# ViT-S is called deit-small in mmpretrain; its 'small' is another network, 768 values wide.
model = dict(backbone=dict(arch='deit-small'), neck=dict(embed_dim=384))
