"""Which weights are trained when only the last blocks are."""

import pytest

from medrag.alignment.retriever.layers import trained_names

VIT = [
    "logit_scale", "positional_embedding", "token_embedding.weight", "text_projection",
    "visual.class_embedding", "visual.conv1.weight", "visual.ln_pre.weight",
    "visual.transformer.resblocks.0.ln_1.weight", "visual.transformer.resblocks.1.ln_1.weight",
    "visual.ln_post.weight", "visual.proj",
    "transformer.resblocks.0.attn.in_proj_weight", "transformer.resblocks.1.attn.in_proj_weight",
    "transformer.resblocks.2.attn.in_proj_weight", "ln_final.weight",
]  # fmt: skip


def test_the_last_block_of_each_tower_and_what_stands_behind_it() -> None:
    assert trained_names(VIT, 1) == {
        "logit_scale", "text_projection", "visual.transformer.resblocks.1.ln_1.weight",
        "visual.ln_post.weight", "visual.proj", "transformer.resblocks.2.attn.in_proj_weight",
        "ln_final.weight",
    }  # fmt: skip


def test_all_weights_without_a_number() -> None:
    assert trained_names(VIT, None) == set(VIT)


def test_the_stages_of_a_resnet_count_as_blocks() -> None:
    names = [
        "visual.conv1.weight", "visual.bn2.bias", "visual.layer1.0.conv1.weight",
        "visual.layer2.0.conv1.weight", "visual.layer2.1.bn1.weight",
        "visual.attnpool.q_proj.weight",
    ]  # fmt: skip
    late = {
        "visual.layer2.0.conv1.weight", "visual.layer2.1.bn1.weight",
        "visual.attnpool.q_proj.weight",
    }  # fmt: skip
    assert trained_names(names, 1) == late
    assert "visual.layer1.0.conv1.weight" in trained_names(names, 2)


def test_towers_of_transformers() -> None:
    names = [
        "vision_model.embeddings.patch_embedding.weight", "vision_model.pre_layrnorm.weight",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
        "vision_model.encoder.layers.1.mlp.fc1.weight", "vision_model.post_layernorm.weight",
        "visual_projection.weight", "text.transformer.encoder.layer.0.output.dense.weight",
        "text.transformer.encoder.layer.1.output.dense.weight",
    ]  # fmt: skip
    assert trained_names(names, 1) == {
        "vision_model.encoder.layers.1.mlp.fc1.weight", "vision_model.post_layernorm.weight",
        "visual_projection.weight", "text.transformer.encoder.layer.1.output.dense.weight",
    }  # fmt: skip


def test_more_blocks_than_a_tower_has_are_refused() -> None:
    with pytest.raises(ValueError, match="has 2 blocks"):
        trained_names(VIT, 3)


def test_towers_without_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="no numbered blocks"):
        trained_names(["weight"], 1)
