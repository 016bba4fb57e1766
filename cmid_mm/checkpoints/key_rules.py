"""The one table of how others wrap and name the weights of a backbone, from which ``convert.py`` works.

A *source* is a project's way to write a file: where the weights stand in it, under which prefix, and what stands beside
them. A *naming* is how a code base names the weights of one family of backbones. A new source is a new entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .tensor_rules import State, join_query_and_value_bias, order_patch_merging

Renames = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Naming:
    """How a code base names the weights of a family of backbones.

    Attributes:
        family (str): Key of :data:`cmid_mm.checkpoints.architectures.FAMILIES`.
        found_by (str): Pattern of keys that every such backbone has; of a source's namings the first found counts.
        renames (tuple[tuple[str, str]]): Patterns and replacements that make mmpretrain's name of a key, one after
            the other.
        tensor_rules (tuple[Callable]): What must be done to values besides, after renaming.
    """

    family: str
    found_by: str
    renames: Renames = ()
    tensor_rules: tuple[Callable[[State], State], ...] = ()


MMPRETRAIN_RESNET = Naming('resnet', r'^layer[1-4]\.\d')  # torchvision's, timm's and mmpretrain's names are the same
SEQUENTIAL_RESNET = Naming(  # nn.Sequential(*resnet.children())
    'resnet',
    r'^[4-7]\.\d+\.',
    ((r'^0\.', 'conv1.'), (r'^1\.', 'bn1.'), *((rf'^{i}\.', f'layer{i - 3}.') for i in range(4, 8))),
)
MMPRETRAIN_SWIN = Naming('swin', r'^stages\.\d\.blocks\.\d+\.attn\.w_msa\.')
MMPRETRAIN_VIT = Naming('vit', r'^layers\.\d+\.ffn\.layers\.')

_TIMM_LAYERS = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'\.mlp\.fc1\.', '.ffn.layers.0.0.'),
    (r'\.mlp\.fc2\.', '.ffn.layers.1.'),
)
_TIMM_VIT_NAMES = (
    *_TIMM_LAYERS,
    (r'^norm\.', 'ln1.'),
    (r'^blocks\.(\d+)\.norm([12])\.', r'layers.\1.ln\2.'),
    (r'^blocks\.', 'layers.'),
)
TIMM_VIT = Naming('vit', r'^blocks\.\d+\.attn\.', _TIMM_VIT_NAMES)
VITAE = Naming(
    'vitae',
    r'^blocks\.\d+\.PCM\.',
    (*_TIMM_VIT_NAMES, (r'\.PCM\.', '.pcm.')),
    (join_query_and_value_bias,),
)
_TIMM_SWIN_NAMES = (
    *_TIMM_LAYERS,
    (r'^layers\.', 'stages.'),
    (r'\.attn\.', '.attn.w_msa.'),
    (r'^norm\.', 'norm3.'),
)
TIMM_SWIN = Naming(  # patch merging stands before the blocks of stages 1 to 3, there at the end of 0 to 2
    'swin',
    r'^layers\.3\.downsample\.',
    (*((rf'^layers\.{i}\.downsample\.', f'stages.{i - 1}.downsample.') for i in (1, 2, 3)), *_TIMM_SWIN_NAMES),
    (order_patch_merging,),
)
MICROSOFT_SWIN = Naming('swin', r'^layers\.0\.downsample\.', _TIMM_SWIN_NAMES, (order_patch_merging,))
TORCHVISION_SWIN = Naming(
    'swin',
    r'^features\.[1357]\.\d+\.attn\.',
    (
        (r'^features\.0\.0\.', 'patch_embed.projection.'),
        (r'^features\.0\.2\.', 'patch_embed.norm.'),
        *((rf'^features\.{2 * i + 1}\.', f'stages.{i}.blocks.') for i in range(4)),
        *((rf'^features\.{2 * i + 2}\.', f'stages.{i}.downsample.') for i in range(3)),
        (r'\.attn\.', '.attn.w_msa.'),
        (r'\.mlp\.0\.', '.ffn.layers.0.0.'),
        (r'\.mlp\.3\.', '.ffn.layers.1.'),
        (r'^norm\.', 'norm3.'),
    ),
    (order_patch_merging,),
)
TORCHVISION_VIT = Naming(
    'vit',
    r'^encoder\.layers\.encoder_layer_\d+\.',
    (
        (r'^conv_proj\.', 'patch_embed.projection.'),
        (r'^class_token$', 'cls_token'),
        (r'^encoder\.pos_embedding$', 'pos_embed'),
        (r'^encoder\.ln\.', 'ln1.'),
        (r'^encoder\.layers\.encoder_layer_(\d+)\.', r'layers.\1.'),
        (r'\.ln_([12])\.', r'.ln\1.'),
        (r'\.self_attention\.in_proj_', '.attn.qkv.'),
        (r'\.self_attention\.out_proj\.', '.attn.proj.'),
        (r'\.mlp\.(0|linear_1)\.', '.ffn.layers.0.0.'),
        (r'\.mlp\.(3|linear_2)\.', '.ffn.layers.1.'),
    ),
)
MMPRETRAIN = (MMPRETRAIN_RESNET, MMPRETRAIN_SWIN, MMPRETRAIN_VIT)


@dataclass(frozen=True)
class Pixels:
    """What the first layer expects.

    Attributes:
        mean (tuple[float]): Of each channel; one value stands for all of any number of channels.
        std (tuple[float]): Likewise.
        channel_order (str): Names of the channels.
        values (str): What the values are, before they are normalised.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    channel_order: str = 'RGB'
    values: str = '8-bit levels'


IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF = Pixels((127.5,), (127.5,))
_S2_BANDS = 'B2 B3 B4 B5 B6 B7 B8 B8A B11 B12'
_S2_MEAN = (
    *(1226.4215, 1137.3799, 1139.6792, 1350.9973, 1932.9058),
    *(2211.1584, 2154.9846, 2409.1128, 2001.8622, 1356.0801),
)
_S2_STD = (741.6254, 740.883, 960.1045, 946.76056, 985.52747, 1082.4341, 1057.7628, 1136.1942, 1132.7898, 991.48016)
_S1_MEAN, _S1_STD = (-11.76858, -18.294598), (4.525339, 4.3586307)
_S2, _S1 = 'Sentinel-2 reflectance times 10,000', 'Sentinel-1 decibels cut to -25 to 0'
SEN12MS_PIXELS = (
    Pixels(_S2_MEAN[:3], _S2_STD[:3], 'BGR', _S2),
    Pixels(_S2_MEAN, _S2_STD, _S2_BANDS, _S2),
    Pixels(_S2_MEAN + _S1_MEAN, _S2_STD + _S1_STD, f'{_S2_BANDS} VV VH', f'{_S2}, then {_S1}'),
    Pixels(_S2_MEAN[:3] + _S1_MEAN, _S2_STD[:3] + _S1_STD, 'B2 B3 B4 VV VH', f'{_S2}, then {_S1}'),
    Pixels(_S1_MEAN, _S1_STD, 'VV VH', _S1),
)


@dataclass(frozen=True)
class Source:
    """How a project wraps the weights of a backbone in its files.

    Attributes:
        title (str): What these files are, for people.
        wrappers (tuple[str]): Dotted paths to the dict of weights in the file; ``''`` is the file itself.
        prefixes (tuple[str]): Of the backbone's keys; the first that occurs counts. A leading ``module.`` is removed
            before. Keys without it belong to other parts and are left out.
        namings (tuple[Naming]): Those that its backbones may have.
        signs (tuple[str]): Patterns that each match a key of such files, by which ``auto`` knows them.
        not_signs (tuple[str]): Patterns that match none.
        drop (tuple[str]): Patterns of keys, without the prefix, that a backbone has no use for.
        teacher_prefixes (tuple[str]): As ``prefixes``, of the momentum teacher, if there is one.
        pixels (tuple[Pixels]): What the backbone expects, by number of channels; () where files of one source differ.
        settings (dict): Of the backbone, where its keys do not tell.
        copies (tuple[tuple[str, str]]): Pairs of keys that name one tensor twice.
        refused (tuple[tuple[str, str]]): Patterns of keys whose file is of no use, and why.
    """

    title: str
    wrappers: tuple[str, ...]
    prefixes: tuple[str, ...]
    namings: tuple[Naming, ...]
    signs: tuple[str, ...]
    not_signs: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    teacher_prefixes: tuple[str, ...] = ()
    pixels: tuple[Pixels, ...] = (IMAGENET,)
    settings: dict = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


_HEADS = (r'^fc\.', r'^heads?\.', r'^classifier\.')
_MAE_DECODER = (r'^decoder_', r'^mask_token$')

SOURCES: dict[str, Source] = dict(
    cmid=Source(
        'official CMID: a training file, or the bare backbone that its extract.py writes',
        wrappers=('model', ''),
        prefixes=('online_encoder.model.', ''),
        teacher_prefixes=('branch_encoder.',),
        namings=(MMPRETRAIN_RESNET, MMPRETRAIN_SWIN),
        signs=(r'^(online|branch)_encoder\.',),
        pixels=(Pixels((86.18235, 91.9275, 85.374), (34.6545, 34.476, 35.8785)),),
    ),
    openmmlab=Source(
        'OpenMMLab (mmpretrain, mmcls, mmselfsup, mmseg, mmdet, mmrotate), whole model or backbone',
        wrappers=('state_dict', ''),
        prefixes=('backbone.', ''),
        namings=MMPRETRAIN,
        signs=(r'^backbone\.',),
        not_signs=(r'^encoder\.', r'^proj1?\.'),
        drop=(r'^mask_token$',),
        pixels=(),
    ),
    torchvision=Source(
        'torchvision: ResNet, Swin, ViT',
        wrappers=('',),
        prefixes=('',),
        namings=(MMPRETRAIN_RESNET, TORCHVISION_SWIN, TORCHVISION_VIT),
        signs=(r'^(fc|head|heads\.head)\.weight$',),
        drop=_HEADS,
    ),
    timm=Source(
        'timm: ResNet, Swin, ViT',
        wrappers=('',),
        prefixes=('',),
        namings=(MMPRETRAIN_RESNET, TIMM_SWIN, MICROSOFT_SWIN, TIMM_VIT),
        signs=(r'^(blocks|layers)\.\d+\.',),
        not_signs=(*_MAE_DECODER, r'\.(PCM|sampling_\w+)\.'),
        drop=_HEADS,
        pixels=(),
    ),
    moco=Source(
        'MoCo v1 and v2, and what is built on them (STICL, SEN12MS by MoCo)',
        wrappers=('state_dict',),
        prefixes=('encoder_q.',),
        teacher_prefixes=('encoder_k.',),
        namings=(MMPRETRAIN_RESNET,),
        signs=(r'^encoder_q\.layer[1-4]\.',),
        drop=(r'^fc\.',),
    ),
    seco=Source(
        'SeCo (Seasonal Contrast), a Lightning file or the bare encoder',
        wrappers=('state_dict', ''),
        prefixes=('encoder_q.', ''),
        teacher_prefixes=('encoder_k.',),
        namings=(SEQUENTIAL_RESNET, MMPRETRAIN_RESNET),
        signs=(r'^encoder_q\.[4-7]\.',),
        pixels=(
            Pixels(
                IMAGENET.mean,
                IMAGENET.std,
                values='Sentinel-2 B4, B3, B2 as 8-bit levels of reflectance 0 to 1, stretched from 0-129, 2-103 and '
                '3-88 to 0-255; plain 8-bit levels of aerial images',
            ),
        ),
    ),
    sen12ms=Source(
        'SEN12MS scene classification (schmitt-muc): ResNet',
        wrappers=('model_state_dict', 'state_dict'),
        prefixes=('encoder.',),
        namings=(SEQUENTIAL_RESNET,),
        signs=(r'^encoder\.[4-7]\.\d+\.',),
        pixels=SEN12MS_PIXELS,
        copies=(('conv1.weight', 'encoder.0.weight'),),
    ),
    mae=Source(
        'MAE: ViT, from pretraining or its encoder alone',
        wrappers=('model',),
        prefixes=('',),
        namings=(TIMM_VIT,),
        signs=(r'^blocks\.\d+\.', r'^cls_token$'),
        not_signs=(r'\.PCM\.', r'^head\.', r'\.sampling_'),
        drop=(*_MAE_DECODER, r'^head\.'),
    ),
    rvsa=Source(
        'RVSA (Remote-Sensing-RVSA): ViT and ViTAE pretrained by MAE on MillionAID',
        wrappers=('model', 'state_dict', ''),
        prefixes=('encoder.', 'backbone.', ''),
        namings=(VITAE, TIMM_VIT),
        signs=(r'^(encoder\.|backbone\.)?blocks\.\d+\.(PCM|attn\.sampling_\w+)\.',),
        drop=(*_MAE_DECODER, r'^head\.', r'^fc_norm\.'),
        refused=(
            (r'\.sampling_', 'it was fine-tuned with windows of varied size, which no backbone here has'),
            (r'\.rel_pos_', 'it was fine-tuned with relative positions, which no backbone here has'),
        ),
    ),
    tov=Source(
        'TOV (The Original Vision model): ResNet-50',
        wrappers=('state_dict',),
        prefixes=('features.', ''),
        namings=(MMPRETRAIN_RESNET,),
        signs=(r'^features\.layer[1-4]\.',),
        drop=_HEADS,
        pixels=(HALF,),
    ),
    vissl=Source(
        'VISSL, such as FALSE: ResNet',
        wrappers=('classy_state_dict.base_model.model.trunk',),
        prefixes=('_feature_blocks.',),
        namings=(MMPRETRAIN_RESNET,),
        signs=(r'^_feature_blocks\.',),
    ),
    glcnet=Source(
        'GLCNet: the ResNet-50 of its DeepLabV3+, of output stride 16',
        wrappers=('', 'state_dict'),
        prefixes=('backbone.',),
        namings=(MMPRETRAIN_RESNET,),
        signs=(r'^backbone\.layer[1-4]\.', r'^(encoder|proj1?)\.'),
        pixels=(Pixels((127.5,), (79.6875,), 'RGB, then other bands'),),
        settings=dict(strides=[1, 2, 2, 1], dilations=[1, 1, 1, 2]),
    ),
    rsisc=Source(
        'RSISC_SSL_Paradigm: ResNet',
        wrappers=('', 'state_dict'),
        prefixes=('feature.',),
        namings=(MMPRETRAIN_RESNET,),
        signs=(r'^feature\.layer[1-4]\.',),
        pixels=(HALF,),
    ),
)

# Official CMID's whole training state: its names (patterns), and those of cmid_mm.models.CMID. A Conv1d of kernel 1 and
# a linear layer hold the same values, the one with an axis of length 1 more.
CMID_TRAINING_RENAMES: Renames = (
    (r'^online_encoder\.model\.', 'backbone.'),
    (r'^online_encoder\.mask_token$', 'backbone.mask_token'),
    (r'^branch_encoder\.', 'teacher.'),
    (r'^mim2org\.decoder_pred\.', 'reconstruction_head.decoder.'),
    (r'^online_projector\.', 'global_head.projector.'),
    (r'^branch_projector\.', 'global_head.teacher_projector.'),
    (r'^(global_head\.\w+)\.layer\.0\.0\.', r'\1.mlp.0.'),
    (r'^(global_head\.\w+)\.layer\.0\.3\.', r'\1.mlp.2.'),
    (r'^class_projector\.', 'local_head.projector.'),
    (r'^branch_class_projector\.', 'local_head.teacher_projector.'),
    (r'\.last_layer\.weight_v$', '.prototypes.weight'),
    (r'^queue$', 'global_head.queue.keys'),
    (r'^queue_ptr$', 'global_head.queue.pointer'),
    (r'^class_loss\.center$', 'local_head.loss_module.center'),
)
# The gain of its weight-normalised prototypes, which is fixed at 1.
CMID_FIXED_GAIN = r'\.last_layer\.weight_g$'
