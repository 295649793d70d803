"""The hints by the key of the mistake. {what} is the name of the wrong result."""

from collections.abc import Mapping
from types import MappingProxyType

_CONVOLUTION = {
    "kernel_flipped": "The kernel is flipped. This layer is a correlation, Σ A[w + k] W[k]: use W as it is.",
    "gradient_kernel_not_flipped": (
        "The gradient of the input needs the flipped kernel (rotated by 180° in 2d): A[v] was multiplied by W[k] "
        "for output v - k."
    ),
    "gradient_flipped": "{what} is flipped: the window of A that belongs to W[k] starts at k.",
    "gradient_overwritten": (
        "Each window overwrites the gradient of the windows before it: use += instead of = inside the loop."
    ),
    "axes_swapped": "Height and width are swapped: axis 2 is the height, axis 3 the width.",
    "channels_swapped": "Input and output channels are swapped: W has shape (out, in, ...).",
    "first_channel_only": "Only the first input channel is used: sum over all input channels.",
    "batch_of_one_only": "Every sample gets the result of the first sample: keep the batch axis.",
    "bias_forgotten": "The bias is missing.",
    "bias_twice": "The bias is added twice.",
    "bias_subtracted": "The bias is subtracted: add it.",
    "bias_per_channel": "The bias is added once per input channel: add it once, after the sum over the channels.",
    "bias_axes": "{what} is summed over the wrong axes: sum over the batch and over space, not over the channels.",
    "bias_row": "{what} is a row: the bias is a column of shape (out, 1).",
    "bias_1d": "{what} has one axis: the bias is a column of shape (out, 1). Use keepdims=True or reshape(-1, 1).",
    "stride_forgotten": "The stride is ignored: keep every stride-th output.",
    "stride_twice": "The stride is applied twice.",
    "stride_lost_backward": (
        "backward ignores the stride: first put stride - 1 zeros between the values of the gradient, then use the "
        "stride-1 backward."
    ),
    "padding_forgotten": "The padding is ignored.",
    "padding_twice": "The padding is applied twice.",
    "padding_one_side": "The input is padded on one side only: pad both sides.",
    "padding_not_zero": "The padding must be zeros.",
    "padding_kept": "backward must remove the padding that forward added: cut `padding` values from each side.",
    "padding_cut_one_side": "backward removes the padding unevenly: cut `padding` values from each side.",
    "minus_zero_slice": (
        "A slice such as [p:-p] is empty if p is 0, because -0 is 0. Use [p : size - p], or handle p = 0 separately."
    ),
    "empty_slice": (
        "{what} is empty. A slice such as [p:-p] selects nothing if p is 0, because -0 is 0: use [p : size - p]."
    ),
    "border_dropped": (
        "The last rows or columns are missing if the stride does not divide the size: {what} must have the full "
        "size, with zeros where no window reached."
    ),
    "last_window_dropped": "The last window is missing: the output size is (size - kernel) // stride + 1.",
    "torch_transposed": (
        "This is PyTorch's transposed convolution. Here it is upsampling followed by a stride-1 correlation "
        "without padding."
    ),
    "batch_divided": "{what} is divided by the batch size: sum over the batch. The loss has divided already.",
    "batch_not_divided": "{what} is not divided by the batch size.",
    "gradient_averaged": "{what} is a mean: it must be a sum.",
    "gradient_divided": "{what} is divided by the factor: the values are only copied.",
    "accumulated": (
        "{what} still contains the gradient of the previous batch: backward must set it (=), not add to it (+=)."
    ),
    "square_only": (
        "Square inputs work, others do not: height and width need separate sizes. Look for a size of one axis that"
        " is used for both."
    ),
}

_RESAMPLING = {
    "upsample_trailing": (
        "There are zeros after the last sample. Put zeros between neighbors only: the size is k (w - 1) + 1."
    ),
    "upsample_leading": "There are zeros before the first sample. Put zeros between neighbors only.",
    "upsample_zeros": "There is one zero too many between neighbors: there are k - 1.",
    "upsample_repeated": "Values are repeated: put zeros between them.",
    "upsample_not_sliced": "backward must keep every k-th value only: the others belong to the zeros.",
    "upsample_twice": "backward upsamples again: it must keep every k-th value.",
    "upsample_cut": "backward keeps the first values: it must keep every k-th value.",
    "resample_offset": "The first sample to keep is number 0.",
    "one_axis": "Only one of height and width is resampled.",
    "not_resampled": "Nothing is resampled: the factor is ignored.",
    "factor_twice": "The factor is applied twice.",
    "downsample_averaged": "Samples are averaged: keep every k-th sample and drop the rest.",
    "downsample_backward_size": (
        "backward does not restore the size of the input: zeros are missing at the end if the factor does not "
        "divide the size. Store the input's shape in forward."
    ),
    "downsample_backward_padded": "The gradient is larger than the input: store the input's shape in forward.",
}

_POOLING = {
    "pool_ties": "Equal values in a window all get the gradient: only the first of them does.",
    "pool_ties_last": "The last of equal values gets the gradient: it belongs to the first, row by row.",
    "pool_ties_split": "The gradient is divided among equal values: the first gets all of it.",
    "pool_from_zero": "The maximum is never negative: start from the window's first value or from -inf, not from 0.",
    "pool_minimum": "This is the minimum of each window.",
    "pool_absolute": "This is the maximum of absolute values.",
    "pool_mean": "This is the mean of each window.",
    "pool_maximum": "This is the maximum of each window.",
    "mean_not_divided": "The sum is not divided by the number of values in a window, kernel².",
    "mean_gradient_not_divided": "The gradient is not divided by kernel²: each value is 1 / kernel² of the mean.",
    "mean_divided_by_k": "It is divided by kernel: a window has kernel² values.",
    "overlap_overwritten": "Where windows overlap, one overwrites the gradient of another: add with += instead of =.",
}

_LINEAR = {
    "weight_transposed": "The weight is transposed: W has shape (out, in), and Z = A Wᵀ + bᵀ.",
    "flatten_order": "The values are in the wrong order: flatten each sample in C order, channel by channel.",
    "flatten_batch": "The batch is flattened too: keep one row per sample.",
    "flatten_not_restored": "backward must restore the shape of the input: store it in forward.",
}

_ACTIVATIONS = {
    "not_activated": "The input is returned unchanged.",
    "chain_forgotten": "The upstream gradient is missing: multiply the derivative by it.",
    "derivative_forgotten": "The derivative is missing: the upstream gradient is returned unchanged.",
    "derivative_of_input": "The formula of the derivative needs the output of forward, not its input.",
    "derivative_sigmoid": "The derivative is A (1 - A): the second factor is missing.",
    "derivative_tanh": "The derivative is 1 - A²: the square is missing.",
    "relu_absolute": "Negative values become positive: they must become 0.",
    "relu_leaky": "This is a leaky ReLU.",
    "relu_of_gradient": "ReLU is applied to the gradient: pass the gradient where the input was positive.",
    "relu_mask_wrong": "The gradient passes where the input was negative: it must pass where the input was positive.",
    "relu_times_output": "The gradient is multiplied by the output: multiply it by 1 where the input was positive.",
    "gelu_tanh": "This is the tanh approximation: use the exact function, with erf.",
    "gelu_half": "The derivative lacks its second term, Z exp(-Z² / 2) / √(2π).",
    "softmax_axis": "Softmax is taken over the batch: normalize each row (axis 1).",
    "softmax_all": "Softmax is normalized over the whole batch: normalize each row.",
    "softmax_diagonal": "Only the diagonal of the Jacobian is used: each output depends on every input of its row.",
    "softmax_sum": "The sum over a row lacks the factor A: it is Σ dLdA · A.",
    "softmax_twice": "Softmax is applied twice.",
    "softmax_missing": "Softmax is missing: the gradient is (softmax - Y) / N.",
    "swish_beta_ignored": "beta is ignored.",
    "swish_sigmoid_only": "The factor Z is missing: A = Z σ(beta Z).",
    "swish_beta_backward": "The second term of the derivative lacks the factor beta.",
    "swish_beta_mean": "dLdbeta is a mean: it must be a sum.",
    "swish_beta_unsummed": "dLdbeta is one number: sum over all entries.",
    "swish_beta_once": "dLdbeta needs Z²: one factor Z in front, one from inside the sigmoid.",
    "far_out": "Large inputs overflow: subtract the maximum first, or use a form that cannot overflow.",
}

_LOSSES = {
    "loss_half": "There is an extra factor of 1/2.",
    "loss_summed": "It is a sum: take the mean.",
    "loss_batch_only": "It is divided by the batch size N only: take the mean over all N C entries.",
    "loss_all_entries": "It is divided by all N C entries: take the mean over the N samples.",
    "loss_absolute": "This is the absolute error: square the differences.",
    "loss_not_reduced": "The loss is one number: take the mean.",
    "sign_wrong": "{what} has the wrong sign.",
}

_NORMALIZATION = {
    "variance_unbiased": "This is the unbiased variance: divide by m, not by m - 1.",
    "variance_not_rooted": "It is divided by the variance: divide by its square root.",
    "eps_large": "Epsilon is 1e-5: it must be 1e-8.",
    "eps_outside": "Epsilon is outside the square root: use √(V + ε).",
    "eps_forgotten": "Epsilon is missing in one place: use V + ε everywhere.",
    "eps_sign": "Epsilon is subtracted: use √(V + ε).",
    "scale_forgotten": "The factor BW is missing.",
    "norm_axis_batch": "Mean and variance are taken over the wrong axes: use all axes except the channels.",
    "norm_axis_space": "Mean and variance are taken per sample: include the batch axis.",
    "norm_axis_sample": "Mean and variance are taken per sample: take them per channel, over the batch.",
    "norm_statistics_constant": "backward treats mean and variance as constants: both depend on Z.",
    "norm_mean_path": "The gradient through the mean is missing.",
    "norm_variance_path": "The gradient through the variance is missing.",
    "norm_count": "It is divided by the batch size: m counts all values of a channel, N H W.",
    "norm_weight_of_input": "dLdBW uses Z: it needs the normalized values.",
    "norm_missing": "Batch normalization is missing.",
    "dimensions_lost": "The values of {what} are right, but an axis of length one is missing: sum with keepdims=True.",
    "running_swapped": "alpha and 1 - alpha are swapped: running = alpha running + (1 - alpha) batch.",
    "running_not_moved": "Training does not update the running statistics.",
    "running_replaced": "The running statistics are replaced by those of the batch.",
    "running_unbiased": "The running variance uses the unbiased variance: use the biased one.",
    "running_deviation": "The running variance holds standard deviations.",
    "eval_uses_batch": "Evaluation uses the statistics of the batch: use the running statistics.",
    "eval_updates": "Evaluation updates the running statistics: it must not.",
    "eval_stale_input": (
        "Evaluation ignores its input and normalizes the last training batch: use the Z that forward gets."
    ),
    "eval_not_scaled": "Evaluation forgets BW and Bb.",
    "state_overwritten": "The evaluation forward overwrites what backward needs: store nothing in evaluation.",
}

_DROPOUT = {
    "dropout_not_scaled": "The kept values are not scaled: divide by 1 - p.",
    "dropout_scaled_by_p": "The kept values are divided by p: divide by 1 - p.",
    "dropout_mask_inverted": "The mask is inverted: p is the probability of dropping.",
    "dropout_multiplied": "The kept values are multiplied by 1 - p: divide by it.",
    "dropout_per_pixel": "Single pixels are dropped: drop whole channels, with a mask of shape (N, C, 1, 1).",
    "dropout_batch_shared": "All samples share one mask: draw a mask for each sample.",
    "dropout_missing": "Nothing is dropped.",
    "eval_scaled": "Evaluation scales its input: inverted dropout scales in training only.",
    "draws": "Draw the mask with one call: np.random.binomial(1, 1 - p, shape).",
}

_NETWORKS = {
    "resblock_no_shortcut": "The shortcut is missing from the sum.",
    "resblock_shortcut_constant": "The gradient through the shortcut is missing: add the gradients of both paths.",
    "resblock_branch_constant": "The gradient through the two blocks is missing: add the gradients of both paths.",
    "resblock_inner_relu": "The ReLU after the first block is missing.",
    "resblock_last_relu": "The ReLU after the sum is missing.",
    "resblock_relu_twice": "There is a ReLU after the second block: it belongs after the sum.",
    "activations_missing": "The activations between the layers are missing.",
    "last_activation_missing": "The last activation is missing.",
    "softmax_in_forward": "forward returns probabilities: it must return logits. The loss applies softmax.",
    "scan_channel_major": (
        "The MLP reads its window frame by frame: reshape its matrix to (out, kernel, in), then transpose to (out,"
        " in, kernel)."
    ),
    "scan_relu_last": "There is a ReLU after the last layer: only Flatten comes after it.",
    "scan_not_flattened": "The result is not flattened.",
    "fixed_depth": "The network works for three convolutions only: use the length of the lists instead of a number.",
    "initializer_ignored": (
        "{what} is not used. Call every initializer: conv_weight_init_fn or weight_init_fn(out, in, k), "
        "linear_weight_init_fn(out, in), bias_init_fn(out)."
    ),
    "step_missing": "step changes nothing.",
    "step_upwards": "step moves along the gradient: subtract it.",
    "lr_forgotten": "The learning rate is missing.",
    "zero_grads": "zero_grads does not set all gradients to zero.",
}

_OPTIMIZERS = {
    "momentum_missing": "The momentum is missing.",
    "momentum_averaged": "The velocity is averaged: v = momentum v + gradient, without 1 - momentum.",
    "momentum_reset": "The velocity is lost between steps.",
    "momentum_nesterov": "This is Nesterov's momentum.",
    "momentum_sign": "The velocity has the wrong sign.",
    "bias_correction_missing": "The bias correction is missing: divide m by 1 - beta1ᵗ and v by 1 - beta2ᵗ.",
    "bias_correction_first": "The bias correction of m is missing.",
    "bias_correction_second": "The bias correction of v is missing.",
    "eps_inside": "Epsilon is inside the square root: use √v + ε.",
    "t_not_counted": "The steps are not counted: t grows by one with each step.",
    "t_from_zero": "The step number is one too large: the first step has t = 1.",
    "betas_swapped": "beta1 and beta2 are swapped.",
    "square_missing": "The second moment lacks the square.",
    "decay_coupled": "The decay is added to the gradient: AdamW shrinks the weight itself.",
    "decay_unscaled": "The decay is not multiplied by the learning rate.",
    "decay_missing": "The weight decay is missing.",
    "decay_after": "The decay comes after the step: shrink the weight first.",
    "decay_sign": "The decay makes the weight grow.",
    "layer_without_W": (
        "A model may contain layers without W, such as activations: skip them. Step every layer with W, and do not"
        " change the gradients."
    ),
    "gradient_changed": "step changes the gradients: leave dLdW and dLdb as they are.",
    "several_layers": "With several layers each needs its own state, and each must be stepped.",
    "optimizer_list": "Keep the layers that have W as the list `l`.",
}

_ANY_LAYER = {
    "returned_none": "{what} is None. Is a return missing, or an attribute never set?",
    "not_an_array": "{what} is not an array of numbers.",
    "float32": "{what} is computed in float32: float64 input must stay float64.",
    "float32_input": "float32 input is not handled correctly.",
    "not_finite": "{what} contains NaN or infinity.",
    "all_zero": "{what} is all zeros.",
    "scaled": "{what} is wrong by one constant factor.",
    "permuted": "{what} has its axes in the wrong order.",
    "reshaped": "The values of {what} are right, its shape is not.",
    "axis_of_one": "The values of {what} are right, but it has an extra or misplaced axis of length one.",
    "cropped": "The last rows or columns of {what} are missing.",
    "enlarged": "{what} is too large: its first part is right.",
    "input_changed": "The input array is changed in place: work on a copy.",
    "shared_state": "Two layers of this class share their state: store it on self, not on the class or in a global.",
    "state_kept": "backward does not use the latest forward: store the input in every forward.",
    "repeated": "The first batch works, a second one does not: do not reuse values of the first.",
    "replaced": (
        "Parameters that are replaced from outside are not used: read self.W in forward and backward, keep no copy."
    ),
    "layout": "Slices and transposed arrays are not handled: the code assumes contiguous memory.",
    "initializers": (
        "Use the initializers: W = weight_init_fn(out, in, k, ...), b = bias_init_fn(out), and draw nothing else."
    ),
    "own_weights": "Without initializers the weights are np.random.normal draws and the bias is zeros.",
}

_EXCEPTIONS = {
    "not_written": "This is not written yet.",
    "attribute_missing": "An attribute of the contract is missing: check its name.",
    "attribute_not_set": (
        "This line reads an attribute that was never set: set it on self in __init__ or forward, and check the "
        "spelling."
    ),
    "gradient_missing": "backward must store this gradient as an attribute with exactly this name.",
    "method_missing": "A method of the contract is missing: check its name and its indentation.",
    "signature": "The arguments do not match the contract: compare the signature, self included.",
    "not_callable": "This line calls an object that cannot be called. A layer is used by layer.forward(A).",
    "is_none": "This line uses None. Is a return missing, or an attribute still None?",
    "unbound_local": (
        "A variable is read before it is set: on this path (an if, or a loop that never ran) nothing was assigned "
        "to it."
    ),
    "name_missing": "A name is not defined: an import may be missing or have failed, or it is misspelled.",
    "forbidden_name": "A forbidden package is used here: write this with NumPy.",
    "forbidden_import": "This package is forbidden: write this with NumPy.",
    "module_missing": "A file that this one imports is not in the submission: hand in the whole folder.",
    "import_name": "The imported file does not define this name.",
    "syntax": "Python cannot read this file.",
    "shapes_clash": "The shapes in this line do not fit for the sizes of this case: print them.",
    "reshape_size": "The array does not have as many values as the new shape: print both shapes.",
    "ragged": "The rows have different lengths, so they do not form an array.",
    "truth_value": "An array is used as a condition: use .any(), .all() or `is None`.",
    "unpack_axes": "The array has another number of axes than the names in this line.",
    "too_few_axes": "The array has fewer axes than this line uses: an axis was lost before.",
    "out_of_bounds": "An index is past the end: check the range of the loop and the output size.",
    "negative_size": "A computed size is negative: check the formula of the output size.",
    "float_as_size": "A size or an index is a float: use // instead of /.",
    "array_as_number": "An array is used where one number is needed.",
    "operand_types": "The types in this line do not fit: a value may be a list, or a layer instead of an array.",
    "integer_array": "An integer array cannot hold the floats that are added in place: create it as float.",
    "read_only": "The array is a read-only view: write into a copy.",
    "key_missing": "A key is missing from a dictionary: it was not stored for this case.",
    "numpy_name": "NumPy has no function of this name.",
    "division_by_zero": "A number is divided by zero.",
    "recursion": "A function calls itself without end.",
    "endless": "It does not finish in time: look for an endless loop, or a loop over every element.",
    "memory": "It needs more memory than allowed.",
    "too_much_output": "It prints too much: remove the print statements.",
}

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        **_CONVOLUTION,
        **_RESAMPLING,
        **_POOLING,
        **_LINEAR,
        **_ACTIVATIONS,
        **_LOSSES,
        **_NORMALIZATION,
        **_DROPOUT,
        **_NETWORKS,
        **_OPTIMIZERS,
        **_ANY_LAYER,
        **_EXCEPTIONS,
    }
)
