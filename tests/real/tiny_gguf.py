"""Makes a model for llama.cpp with random weights, about 150 kB."""

from pathlib import Path

import gguf
import numpy as np

SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>"]
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}<|assistant|>"
WIDTH, INNER, LAYERS, HEADS = 32, 64, 2, 2


def byte_letters() -> list[str]:
    """Returns GPT-2's letter for each byte: its own if printable, else one above U+00FF."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def make_gguf(path: Path, context: int = 512) -> Path:
    """Writes the model. Its tokens are bytes and one pair, because GGUF requires a merge."""
    words = [*SPECIAL, *byte_letters(), "th"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    kinds = [gguf.TokenType.CONTROL if word in SPECIAL else gguf.TokenType.NORMAL for word in words]
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, shape in shapes(len(words)).items():
        dice = np.random.default_rng(len(name))
        values = np.ones(shape) if "norm" in name else dice.standard_normal(shape) / 2
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def shapes(words: int) -> dict[str, tuple[int, ...]]:
    """Returns the name and the shape of every tensor of a llama model."""
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (words, WIDTH),
        "output_norm.weight": (WIDTH,),
        "output.weight": (words, WIDTH),
    }
    for block in range(LAYERS):
        for part, shape in {
            **{f"attn_{kind}": (WIDTH, WIDTH) for kind in ("q", "k", "v", "output")},
            **{f"{kind}_norm": (WIDTH,) for kind in ("attn", "ffn")},
            **{f"ffn_{kind}": (INNER, WIDTH) for kind in ("gate", "up")},
            "ffn_down": (WIDTH, INNER),
        }.items():
            found[f"blk.{block}.{part}.weight"] = shape
    return found
