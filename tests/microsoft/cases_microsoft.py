"""Operators of com.microsoft that are other spellings of ai.onnx."""
import numpy as np

from case import Case, fed, given, integers, weight

X = fed(1, 4, 9, 7)
W = weight(6, 4, 3, 3)
B = weight(6)
I64 = np.int64


def activation(name, *params):
    return {"activation": name, **({"activation_params": list(params)} if params else {})}


def unpack(values):
    """Query, key and value out of what they are packed in."""
    start = [] if len(values) < 2 or values[1] is None else values[:1]
    packed = values[len(start)]
    rows = packed.shape[:2] + (-1,)
    parts = [packed[:, :, :, i].reshape(rows) for i in range(packed.shape[3])]
    return start + parts + values[3:]


CASES = [
    *[Case(f"fused_conv_{name.lower()}", "FusedConv", [X, W, B], {**activation(name, *params), "pads": [1, 1, 1, 1]})
      for name, params in [("Relu", ()), ("Tanh", ()), ("Sigmoid", ()), ("LeakyRelu", (0.1,)), ("Clip", (-0.5, 1.5)),
                           ("HardSigmoid", (0.3, 0.4))]],
    Case("fused_conv_no_bias", "FusedConv", [X, W], activation("Relu")),
    Case("fused_conv_sum", "FusedConv", [X, W, B, fed(1, 6, 7, 5)], activation("Relu")),
    Case("fused_matmul", "FusedMatMul", [fed(2, 3, 5), fed(2, 5, 4)]),
    Case("fused_matmul_alpha", "FusedMatMul", [fed(2, 3, 5), weight(5, 4)], {"alpha": 0.5}),
    Case("fused_matmul_trans", "FusedMatMul", [fed(2, 5, 3), fed(2, 4, 5)], {"transA": 1, "transB": 1, "alpha": 2.0}),
    Case("fused_matmul_trans_batch", "FusedMatMul", [fed(3, 2, 5), fed(4, 2, 5)],
         {"transBatchA": 1, "transBatchB": 1, "transB": 1}),
    Case("fused_gemm_relu", "FusedGemm", [fed(3, 5), weight(5, 4), weight(4)], {"activation": "Relu"}),
    Case("fused_gemm_leaky", "FusedGemm", [fed(3, 5), weight(4, 5), weight(3, 4)],
         {"activation": "LeakyRelu", "activation_alpha": 0.2, "transB": 1, "alpha": 0.5, "beta": 0.25}),
    Case("fast_gelu", "FastGelu", [fed(2, 3, 8, low=-2, high=2)]),
    Case("fast_gelu_bias", "FastGelu", [fed(2, 3, 8, low=-2, high=2), weight(8)]),
    Case("bias_gelu", "BiasGelu", [fed(2, 3, 8, low=-4, high=4), weight(8)]),
    Case("gelu", "Gelu", [fed(5, 17, low=-4, high=4)]),
    Case("quick_gelu", "QuickGelu", [fed(5, 17, low=-4, high=4)]),
    Case("quick_gelu_alpha", "QuickGelu", [fed(5, 17, low=-4, high=4)], {"alpha": 0.7}),
    Case("skip_layer_norm", "SkipLayerNormalization", [fed(2, 3, 8), fed(2, 3, 8), weight(8), weight(8)]),
    Case("skip_layer_norm_bias", "SkipLayerNormalization", [fed(2, 3, 8), fed(2, 3, 8), weight(8), weight(8), weight(8)],
         {"epsilon": 1e-3}, outputs=4, skipped_outputs=(1, 2)),
    Case("skip_layer_norm_no_beta", "SkipLayerNormalization", [fed(2, 3, 8), fed(2, 3, 8), weight(8)]),
    Case("skip_simplified_layer_norm", "SkipSimplifiedLayerNormalization", [fed(2, 3, 8), fed(2, 3, 8), weight(8)],
         {"epsilon": 1e-5}, outputs=4, skipped_outputs=(1, 2)),
    Case("simplified_layer_norm", "SimplifiedLayerNormalization", [fed(2, 3, 8), weight(8)],
         {"axis": -1, "epsilon": 1e-5, "stash_type": 1}, domain=""),
    Case("embed_layer_norm", "EmbedLayerNormalization",
         [integers(2, 4, high=11), integers(2, 4), weight(11, 8), weight(6, 8), weight(2, 8), weight(8), weight(8),
          given([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)], outputs=2),
    Case("embed_layer_norm_no_segments", "EmbedLayerNormalization",
         [integers(2, 4, high=11), None, weight(11, 8), weight(6, 8), None, weight(8), weight(8),
          given([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)], {"epsilon": 1e-5}, outputs=2),
    Case("attention", "Attention", [fed(2, 5, 8), weight(8, 24), weight(24)], {"num_heads": 2}),
    Case("attention_causal", "Attention", [fed(2, 5, 8), weight(8, 24), weight(24)],
         {"num_heads": 2, "unidirectional": 1}),
    Case("attention_mask", "Attention", [fed(2, 4, 8), weight(8, 24), weight(24),
                                         given([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)], {"num_heads": 4}),
    Case("attention_lengths", "Attention", [fed(2, 4, 8), weight(8, 24), weight(24), given([3, 4], np.int32)],
         {"num_heads": 2}),
    Case("attention_sizes", "Attention", [fed(2, 4, 8), weight(8, 32), weight(32)],
         {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 16], "scale": 0.3}),
    Case("attention_past", "Attention", [fed(2, 3, 8), weight(8, 24), weight(24), None, fed(2, 2, 2, 4, 4)],
         {"num_heads": 2}, outputs=2),
    Case("attention_past_causal", "Attention", [fed(2, 3, 8), weight(8, 24), weight(24), None, fed(2, 2, 2, 4, 4)],
         {"num_heads": 2, "unidirectional": 1}, outputs=2),
    Case("attention_bias", "Attention", [fed(2, 4, 8), weight(8, 24), weight(24), None, None, fed(2, 2, 4, 4)],
         {"num_heads": 2}),
    Case("mha", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 5, 8), fed(2, 5, 8)], {"num_heads": 2}),
    Case("mha_bias", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 5, 8), fed(2, 5, 8), weight(24)], {"num_heads": 2}),
    Case("mha_mask", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 4, 8), fed(2, 4, 8), None,
                                            given([[1, 1, 1, 0], [1, 0, 1, 0]], np.int32)], {"num_heads": 2}),
    Case("mha_lengths", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 4, 8), fed(2, 4, 8), None,
                                               given([2, 4], np.int32)], {"num_heads": 2}),
    Case("mha_past", "MultiHeadAttention",
         [fed(2, 3, 8), fed(2, 3, 8), fed(2, 3, 8), None, None, None, fed(2, 2, 4, 4), fed(2, 2, 4, 4)],
         {"num_heads": 2}, outputs=3),
    Case("mha_attention_bias", "MultiHeadAttention",
         [fed(2, 3, 8), fed(2, 5, 8), fed(2, 5, 8), None, None, fed(2, 2, 3, 5)], {"num_heads": 2, "scale": 0.4}),
    Case("mha_heads_first", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 2, 5, 4), fed(2, 2, 5, 4)], {"num_heads": 2}),
    Case("mha_heads_first_bias", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 2, 5, 4), fed(2, 2, 5, 4), weight(24)],
         {"num_heads": 2}),
    Case("mha_packed", "MultiHeadAttention", [fed(2, 3, 2, 3, 4)], {"num_heads": 2}, oracle=unpack),
    Case("mha_packed_mask", "MultiHeadAttention", [fed(2, 4, 2, 3, 4), None, None, None, given([2, 4], np.int32)],
         {"num_heads": 2}, oracle=unpack),
    Case("mha_packed_keys", "MultiHeadAttention", [fed(2, 3, 8), fed(2, 5, 2, 2, 4)], {"num_heads": 2}, oracle=unpack),
    Case("mha_sums", "MultiHeadAttention", [fed(2, 4, 8), fed(2, 4, 8), fed(2, 4, 8), None,
                                            given([4, 3, 0, 4, 8, 0, 4, 8], np.int32)], {"num_heads": 2}),
    Case("attention_from_to", "Attention", [fed(2, 4, 8), weight(8, 24), weight(24), given([4, 3, 0, 1], np.int32)],
         {"num_heads": 2}),
    Case("attention_sums", "Attention", [fed(2, 4, 8), weight(8, 24), weight(24),
                                         given([4, 3, 0, 4, 8, 0, 4, 8], np.int32)], {"num_heads": 2}),
    Case("rotary", "RotaryEmbedding", [fed(2, 3, 8), integers(2, 3, high=6, dtype=I64), weight(7, 2), weight(7, 2)]),
    Case("rotary_offset", "RotaryEmbedding", [fed(2, 3, 8), given([2], I64), weight(7, 2), weight(7, 2)]),
    Case("rotary_interleaved", "RotaryEmbedding",
         [fed(2, 3, 8), integers(2, 3, high=6, dtype=I64), weight(7, 2), weight(7, 2)], {"interleaved": 1}),
    Case("rotary_4d", "RotaryEmbedding",
         [fed(2, 2, 3, 4), integers(2, 3, high=6, dtype=I64), weight(7, 2), weight(7, 2)]),
    Case("rotary_partial", "RotaryEmbedding",
         [fed(2, 3, 16), integers(2, 3, high=6, dtype=I64), weight(7, 2), weight(7, 2)],
         {"num_heads": 2, "rotary_embedding_dim": 4}),
]


def gqa(name, batch, length, past, lengths, attrs=None, heads=4, kv_heads=2, size=16, total=None, rotary=False,
        packed=False, more=()):
    total = total or past + length
    query = fed(batch, length, (heads + 2 * kv_heads if packed else heads) * size)
    keys = [None, None] if packed else [fed(batch, length, kv_heads * size), fed(batch, length, kv_heads * size)]
    cache = [fed(batch, kv_heads, past, size), fed(batch, kv_heads, past, size)] if past else [None, None]
    tables = [weight(32, size // 2), weight(32, size // 2)] if rotary else [None, None] if more else []
    attrs = {"num_heads": heads, "kv_num_heads": kv_heads, **({"do_rotary": 1} if rotary else {}), **(attrs or {})}
    return Case(f"gqa_{name}", "GroupQueryAttention",
                [query, *keys, *cache, given(lengths, np.int32), given(total, np.int32, constant=True), *tables, *more], attrs,
                outputs=3)


CASES += [
    gqa("prompt", 1, 5, 0, [4]),
    gqa("prompt_padded", 2, 5, 0, [4, 2]),
    gqa("decode", 1, 1, 6, [6]),
    gqa("decode_batch", 2, 1, 6, [6, 4]),
    gqa("decode_several", 1, 3, 6, [8]),
    gqa("buffer", 1, 1, 12, [6], total=7),
    gqa("rotary_prompt", 2, 5, 0, [4, 4], rotary=True),
    gqa("rotary_decode", 1, 1, 6, [6], rotary=True),
    gqa("rotary_interleaved", 1, 4, 0, [3], {"rotary_interleaved": 1}, rotary=True),
    gqa("packed", 1, 5, 0, [4], packed=True, rotary=True),
    gqa("window", 1, 7, 0, [6], {"local_window_size": 3}),
    gqa("softcap", 1, 5, 0, [4], {"softcap": 2.0}),
    gqa("smooth", 1, 5, 0, [4], {"smooth_softmax": 1}),
    gqa("packed_decode", 2, 1, 6, [6, 3], packed=True, rotary=True),
    gqa("window_decode", 1, 1, 12, [12], {"local_window_size": 4}),
    gqa("bias", 2, 3, 0, [2, 2], more=[None, fed(1, 4, 3, 3)]),
    gqa("bias_decode", 2, 1, 4, [4, 4], more=[None, fed(2, 1, 1, 5)]),
    gqa("positions", 2, 3, 0, [2, 2], rotary=True, more=[given([[0, 1, 2], [4, 5, 6]], I64)]),
    gqa("sink", 1, 5, 0, [4], more=[None, None, fed(4)]),
    gqa("long", 1, 40, 100, [139], heads=6, kv_heads=3),
    gqa("scale", 1, 5, 0, [4], {"scale": 0.2}, kv_heads=4),
]
