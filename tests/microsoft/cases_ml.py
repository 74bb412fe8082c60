"""Operators of ai.onnx.ml."""
import numpy as np

from case import Case, fed, given, integers

ML = "ai.onnx.ml"
STRINGS = ["a", "b", "c"]


def numbers(seed, *shape, low=-1.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32).ravel().tolist()


def ml(name, op, inputs, attrs, outputs=1):
    return Case(name, op, inputs, attrs, outputs, domain=ML)


def trees(prefix, targets, seed, count=4, only=None, positive=False):
    """`count` trees of depth 2 over 3 features, each leaf with a vote for every target, or for `only` one. (Where a
    target gets no vote, onnxruntime leaves out its base value, which the standard does not say.)"""
    random = np.random.default_rng(seed)
    ids = list(range(targets)) if only is None else [only]
    leaves = 4 * count * len(ids)
    tree = {"nodes_nodeids": [0, 1, 2, 3, 4, 5, 6] * count,
            "nodes_treeids": [t for t in range(count) for _ in range(7)],
            "nodes_featureids": [int(f) for f in random.integers(0, 3, 7 * count)],
            "nodes_values": random.uniform(-0.5, 0.5, 7 * count).astype(np.float32).tolist(),
            "nodes_modes": (["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE"] + ["LEAF"] * 4) * count,
            "nodes_truenodeids": [1, 3, 5, 0, 0, 0, 0] * count,
            "nodes_falsenodeids": [2, 4, 6, 0, 0, 0, 0] * count,
            f"{prefix}_treeids": [t for t in range(count) for _ in range(4 * len(ids))],
            f"{prefix}_nodeids": [n for n in [3, 4, 5, 6] for _ in ids] * count,
            f"{prefix}_ids": ids * 4 * count,
            f"{prefix}_weights": random.uniform(0.0 if positive else -0.5, 0.3, leaves).astype(np.float32).tolist()}
    return tree


CASES = [
    ml("zip_map_ints", "ZipMap", [fed(3, 4)], {"classlabels_int64s": [7, -1, 0, 5]}),
    ml("zip_map_strings", "ZipMap", [fed(2, 3)], {"classlabels_strings": STRINGS}),
    ml("zip_map_of_a_list", "ZipMap", [fed(3)], {"classlabels_strings": STRINGS}),
    ml("dict_vectorizer_strings", "DictVectorizer", [given({"c": 2.5, "a": -1.0})], {"string_vocabulary": STRINGS}),
    ml("dict_vectorizer_ints", "DictVectorizer", [given({4: 2.5, 9: -1.0})], {"int64_vocabulary": [1, 9, 4, 7]}),
    ml("cast_map_dense", "CastMap", [given({4: 2.5, 1: -1.0, 2: 7.0})], {"cast_to": "TO_FLOAT"}),
    ml("cast_map_sparse", "CastMap", [given({4: 2.5, 1: -1.0})], {"cast_to": "TO_INT64", "map_form": "SPARSE", "max_map": 6}),
    *[ml(f"tree_regressor_{f.lower()}", "TreeEnsembleRegressor", [fed(9, 3)],
         {**trees("target", 2, 1), "n_targets": 2, "aggregate_function": f, "base_values": [0.25, -0.5]})
      for f in ["SUM", "AVERAGE", "MIN", "MAX"]],
    *[ml(f"tree_classifier_{t.lower()}", "TreeEnsembleClassifier", [fed(9, 3)],
         {**trees("class", 3, 2), "classlabels_int64s": [7, 8, 9], "post_transform": t}, 2)
      for t in ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]],
    ml("tree_classifier_strings", "TreeEnsembleClassifier", [fed(9, 3)],
       {**trees("class", 3, 3), "classlabels_strings": STRINGS}, 2),
    *[ml(f"tree_classifier_binary{only}_{t.lower()}_{p}", "TreeEnsembleClassifier", [fed(9, 3)],
         {**trees("class", 2, 4, only=only, positive=p == "positive"), "classlabels_int64s": [0, 1],
          "post_transform": t}, 2)
      for only in [0, 1] for t in ["NONE", "LOGISTIC"] for p in ["positive", "mixed"]],
    ml("tree_classifier_binary_base", "TreeEnsembleClassifier", [fed(9, 3)],
       {**trees("class", 2, 5, only=0), "classlabels_int64s": [0, 1], "post_transform": "LOGISTIC", "base_values": [0.3]}, 2),
    ml("tree_classifier_base", "TreeEnsembleClassifier", [fed(9, 3)],
       {**trees("class", 3, 6), "classlabels_int64s": [5, 0, 1], "base_values": [0.3, -0.2, 0.1]}, 2),
    *[ml(f"linear_regressor_{t.lower()}", "LinearRegressor", [fed(5, 4)],
         {"coefficients": numbers(5, 3, 4), "intercepts": numbers(6, 3), "targets": 3, "post_transform": t})
      for t in ["NONE", "SOFTMAX", "LOGISTIC"]],
    *[ml(f"linear_classifier_{t.lower()}", "LinearClassifier", [fed(5, 4)],
         {"coefficients": numbers(7, 3, 4), "intercepts": numbers(8, 3), "classlabels_ints": [4, 5, 6],
          "post_transform": t}, 2)
      for t in ["NONE", "SOFTMAX", "LOGISTIC"]],
    ml("linear_classifier_strings", "LinearClassifier", [fed(5, 4)],
       {"coefficients": numbers(7, 3, 4), "intercepts": numbers(8, 3), "classlabels_strings": STRINGS}, 2),
    *[ml(f"linear_classifier_binary_{t.lower()}", "LinearClassifier", [fed(5, 4)],
         {"coefficients": numbers(9, 4), "intercepts": [0.1], "classlabels_ints": [4, 5], "post_transform": t}, 2)
      for t in ["NONE", "LOGISTIC"]],
    *[ml(f"svm_regressor_{k.lower()}", "SVMRegressor", [fed(5, 4)],
         {"coefficients": numbers(10, 6), "support_vectors": numbers(11, 6, 4), "n_supports": 6, "rho": [0.2],
          "kernel_type": k, "kernel_params": [0.5, 0.1, 2.0]})
      for k in ["LINEAR", "POLY", "RBF", "SIGMOID"]],
    ml("svm_regressor_one_class", "SVMRegressor", [fed(5, 4)],
       {"coefficients": numbers(10, 6), "support_vectors": numbers(11, 6, 4), "n_supports": 6, "rho": [0.0],
        "kernel_type": "RBF", "kernel_params": [0.5, 0.1, 2.0], "one_class": 1}),
    *[ml(f"svm_classifier_{k.lower()}", "SVMClassifier", [fed(7, 4)],
         {"coefficients": numbers(12, 2, 6), "support_vectors": numbers(13, 6, 4), "vectors_per_class": [2, 1, 3],
          "rho": [0.1, -0.2, 0.05], "kernel_type": k, "kernel_params": [0.5, 0.1, 2.0], "classlabels_ints": [3, 1, 2]}, 2)
      for k in ["LINEAR", "POLY", "RBF", "SIGMOID"]],
    ml("svm_classifier_probabilities", "SVMClassifier", [fed(7, 4)],
       {"coefficients": numbers(12, 2, 6), "support_vectors": numbers(13, 6, 4), "vectors_per_class": [2, 1, 3],
        "rho": [0.1, -0.2, 0.05], "prob_a": [-1.5, -2.0, -1.0], "prob_b": [0.1, 0.0, -0.1], "kernel_type": "RBF",
        "kernel_params": [0.5, 0.1, 2.0], "classlabels_strings": STRINGS}, 2),
    ml("svm_classifier_binary_probabilities", "SVMClassifier", [fed(7, 4)],
       {"coefficients": numbers(14, 5), "support_vectors": numbers(15, 5, 4), "vectors_per_class": [2, 3], "rho": [0.1],
        "prob_a": [-1.5], "prob_b": [0.1], "kernel_type": "RBF", "kernel_params": [0.5, 0.1, 2.0],
        "classlabels_ints": [0, 1]}, 2),
    ml("scaler", "Scaler", [fed(3, 4)], {"scale": numbers(16, 4), "offset": numbers(17, 4)}),
    ml("scaler_one", "Scaler", [integers(3, 4, low=-5, high=5, dtype=np.int64)], {"scale": [2.0], "offset": [0.5]}),
    *[ml(f"normalizer_{n.lower()}", "Normalizer", [fed(3, 4, low=0.1)], {"norm": n}) for n in ["MAX", "L1", "L2"]],
    ml("imputer", "Imputer", [given([[1, np.nan], [np.nan, 4]])],
       {"imputed_value_floats": [9.0, 8.0], "replaced_value_float": float("nan")}),
    ml("imputer_ints", "Imputer", [given([[1, 2], [2, 4]], np.int64)],
       {"imputed_value_int64s": [7], "replaced_value_int64": 2}),
    ml("one_hot", "OneHotEncoder", [given([[1, 2], [5, 3]], np.int64)], {"cats_int64s": [1, 2, 3], "zeros": 1}),
    ml("one_hot_strings", "OneHotEncoder", [given(["b", "x"], object)], {"cats_strings": STRINGS, "zeros": 1}),
    ml("feature_vectorizer", "FeatureVectorizer", [fed(3, 2), fed(3, 4)], {"inputdimensions": [2, 4]}),
    ml("category_mapper", "CategoryMapper", [given(["b", "x"], object)],
       {"cats_strings": STRINGS, "cats_int64s": [5, 6, 7], "default_int64": -3}),
    ml("category_mapper_back", "CategoryMapper", [given([6, 1], np.int64)],
       {"cats_strings": STRINGS, "cats_int64s": [5, 6, 7], "default_string": "none"}),
    ml("label_encoder_floats", "LabelEncoder", [given([1.5, 2.0, 9.0])],
       {"keys_floats": [1.5, 2.0], "values_strings": ["x", "y"], "default_string": "z"}),
    ml("binarizer", "Binarizer", [fed(3, 4)], {"threshold": 0.2}),
    ml("array_feature_extractor", "ArrayFeatureExtractor", [fed(3, 4), given([3, 0], np.int64)], {}),
]
