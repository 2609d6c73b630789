"""The operators that a file may call: of `keras.ops`, and of TensorFlow in models of Keras 2.

`h * 2.0` in a functional model becomes a layer that names a function: `Multiply` of `keras.ops` in
Keras 3, `math.multiply` of TensorFlow in Keras 2, where any public function of TensorFlow can be
named, those that write files among them. Those listed here compute tensors from tensors; none takes
a function, keeps a state, or touches files, processes, native libraries, variables or queues.
"""

from __future__ import annotations

__all__ = [
    "OPERATIONS",
    "OPERATIONS_REFUSED",
    "RAGGED_METHODS",
    "RAGGED_PROPERTIES",
    "SLICING",
    "TENSORFLOW_FUNCTIONS",
    "is_tensorflow",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Classes of `keras.src.ops`, of every version that is supported.
OPERATIONS = _words(
    """
    Abs Absolute AdaptiveAveragePool AdaptiveMaxPool Add AffineTransform All AllClose Amax Amin
    Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin
    Argpartition Argsort Array ArraySplit Average AveragePool Bartlett BatchNorm
    BinaryCrossentropy Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor Blackman BroadcastTo CDist CTCDecode CTCLoss Cast
    CategoricalCrossentropy Cbrt Ceil Celu Cholesky CholeskyInverse Clip Concatenate Conj
    Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef Correlate Cos Cosh CountNonzero
    CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace DepthwiseConv Det Diag Diagflat
    Diagonal Diff Digitize Divide DivideNoNan Dot DotProductAttention Dsplit Dstack Eig Eigh
    Einsum ElasticTransform Elu EmptyLike Equal Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1
    ExtractPatches ExtractPatches3D ExtractSequences FFT FFT2 Fabs Flip Fliplr Flipud Floor
    FloorDivide Fmax Fmin Fmod Fold Full FullLike GaussianBlur Gcd Gelu Geomspace GetItem Glu
    Greater GreaterEqual HSVToRGB Hamming Hanning HardShrink HardSigmoid HardSilu HardTanh
    Heaviside Histogram Hsplit Hstack Hypot I0 IFFT2 IRFFT ISTFT Imag InTopK Inner Inv IsIn
    Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Kaiser Kron LayerNorm Lcm Ldexp
    LeakyRelu LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 LogSigmoid LogSoftmax
    Logaddexp Logaddexp2 Logdet LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Logsumexp
    Lstsq LuFactor MapCoordinates Matmul MatrixRank Max MaxPool Maximum Mean Median Meshgrid Min
    Minimum Mod Moments Moveaxis MultiHot Multiply NanToNum Nanargmax Nanargmin Nancumprod
    Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile Nanprod Nanquantile Nanstd Nansum
    Nanvar Ndim Negative Nextafter Nonzero Norm Normalize NotEqual OneHot OnesLike Outer PSNR
    Pad PadImages Percentile PerspectiveTransform Pinv Polar Power Prod Ptp Qr Quantile RFFT
    RGBToGrayscale RGBToHSV RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat
    Reshape Resize RightShift Roll Rot90 Round Rsqrt SSIM STFT SVD SaturateCast
    ScaleAndTranslate Scatter ScatterUpdate SearchSorted SegmentMax SegmentMin SegmentProd
    SegmentSum Select Selu SeparableConv Sigmoid Sign Signbit Silu Sin Sinc Sinh Size Slice
    SliceUpdate Slogdet SobelEdges SoftShrink Softmax Softplus Softsign Solve SolveTriangular
    Sort SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Split
    Sqrt Square Squareplus Squeeze Stack Std StopGradient Subtract Sum Swapaxes Take
    TakeAlongAxis Tan Tanh TanhShrink Tensordot Threshold Tile TopK Trace Transpose Trapezoid
    Tril Triu TrueDivide Trunc Unfold Unique UnravelIndex Unstack Vander Var Vdot View
    ViewAsComplex ViewAsReal Vsplit Vstack Where ZerosLike
    """
)

#: Classes of `keras.src.ops` that take functions, or are abstract.
OPERATIONS_REFUSED = _words(
    """
    AssociativeScan Cond ForiLoop Function JVP Map Operation Scan SegmentReduction Switch
    VectorizedMap WhileLoop
    """
)

#: What the layer that stands for `x[..., 1:]` in Keras 2 may name.
SLICING = frozenset(
    {"__operators__.getitem", "__operators__.ragged_getitem", "slice", "strided_slice"}
)

#: Methods and properties of ragged tensors, for which Keras 2 has layers of their own.
RAGGED_METHODS = _words(
    """
    bounding_shape merge_dims nested_row_lengths nested_value_rowids nrows row_lengths row_limits
    row_starts to_sparse to_tensor value_rowids with_flat_values with_row_splits_dtype with_values
    """
)
RAGGED_PROPERTIES = _words("flat_values nested_row_splits row_splits values")

#: Functions of TensorFlow, by the place where they are.
TENSORFLOW_FUNCTIONS = {
    "": _words(
        """
        argsort batch_to_space bitcast boolean_mask broadcast_dynamic_shape
        broadcast_static_shape broadcast_to cast clip_by_global_norm clip_by_norm
        clip_by_value concat constant conv convert_to_tensor dynamic_partition
        dynamic_stitch einsum ensure_shape expand_dims extract_volume_patches eye fftnd fill
        gather gather_nd guarantee_const histogram_fixed_width histogram_fixed_width_bins
        identity identity_n ifftnd irfftnd linspace meshgrid norm one_hot ones ones_like pad
        random_index_shuffle range rank realdiv repeat required_space_to_batch_paddings
        reshape reverse reverse_sequence rfftnd roll scatter_nd searchsorted sequence_mask
        shape shape_n size slice sort space_to_batch space_to_batch_nd split squeeze stack
        stop_gradient strided_slice tensor_scatter_nd_add tensor_scatter_nd_max
        tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile
        transpose truncatediv truncatemod unique unique_with_counts unravel_index unstack
        where zeros zeros_like
        """
    ),
    "__operators__": _words(
        """
        add eq getitem ne ragged_getitem
        """
    ),
    "bitwise": _words(
        """
        bitwise_and bitwise_or bitwise_xor invert left_shift right_shift
        """
    ),
    "dtypes": _words(
        """
        complex saturate_cast
        """
    ),
    "experimental.numpy": _words(
        """
        abs absolute add all allclose amax amin angle any append arange arccos arccosh
        arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort around array array_equal
        asanyarray asarray ascontiguousarray atleast_1d atleast_2d atleast_3d average
        bitwise_and bitwise_not bitwise_or bitwise_xor broadcast_arrays broadcast_to cbrt
        ceil clip compress concatenate conj conjugate copy cos cosh count_nonzero cross
        cumprod cumsum deg2rad diag diag_indices diagflat diagonal diff divide divmod dot
        dsplit dstack einsum equal exp exp2 expand_dims expm1 eye fabs fix flatten flip
        fliplr flipud float_power floor floor_divide full full_like gcd geomspace greater
        greater_equal heaviside hsplit hstack hypot identity imag inner isclose iscomplex
        iscomplexobj isfinite isinf isnan isneginf isposinf isreal isrealobj isscalar kron
        lcm less less_equal linspace log log10 log1p log2 logaddexp logaddexp2 logical_and
        logical_not logical_or logical_xor logspace matmul max maximum mean meshgrid min
        minimum mod moveaxis multiply nanmean nanprod nansum ndim negative nextafter nonzero
        not_equal ones ones_like outer pad polyval positive power prod ptp rad2deg ravel
        real reciprocal remainder repeat reshape roll rot90 round select shape sign signbit
        sin sinc sinh size sort split sqrt square squeeze stack std subtract sum swapaxes
        take take_along_axis tan tanh tensordot tile trace transpose tri tril triu
        true_divide vander var vdot vsplit vstack where zeros zeros_like
        """
    ),
    "image": _words(
        """
        adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation
        central_crop combined_non_max_suppression convert_image_dtype crop_and_resize
        crop_to_bounding_box extract_glimpse extract_patches flip_left_right flip_up_down
        generate_bounding_box_proposals grayscale_to_rgb hsv_to_rgb image_gradients
        non_max_suppression non_max_suppression_overlaps non_max_suppression_padded
        non_max_suppression_with_scores pad_to_bounding_box per_image_standardization psnr
        random_brightness random_contrast random_crop random_flip_left_right
        random_flip_up_down random_hue random_saturation resize resize_with_crop_or_pad
        resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90
        sample_distorted_bounding_box sobel_edges ssim ssim_multiscale
        stateless_random_brightness stateless_random_contrast stateless_random_crop
        stateless_random_flip_left_right stateless_random_flip_up_down stateless_random_hue
        stateless_random_saturation
        stateless_sample_distorted_bounding_box total_variation transpose yiq_to_rgb
        yuv_to_rgb
        """
    ),
    "linalg": _words(
        """
        adjoint band_part banded_triangular_solve cholesky cholesky_solve cross det diag
        diag_part eig eigh eigh_tridiagonal eigvals eigvalsh expm global_norm inv logdet
        logm lstsq lu lu_matrix_inverse lu_reconstruct lu_solve matmul matrix_rank
        matrix_transpose matvec normalize pinv qr set_diag slogdet solve sqrtm svd
        tensor_diag tensor_diag_part trace triangular_solve tridiagonal_matmul
        tridiagonal_solve
        """
    ),
    "math": _words(
        """
        abs accumulate_n acos acosh add add_n angle approx_max_k approx_min_k argmax argmin
        asin asinh atan atan2 atanh bessel_i0 bessel_i0e bessel_i1 bessel_i1e betainc
        bincount ceil confusion_matrix conj cos cosh count_nonzero cumprod cumsum
        cumulative_logsumexp digamma divide divide_no_nan equal erf erfc erfcinv erfinv exp
        expm1 floor floordiv floormod greater greater_equal igamma igammac imag in_top_k
        invert_permutation is_finite is_inf is_nan is_non_decreasing is_strictly_increasing
        l2_normalize lbeta less less_equal lgamma log log1p log_sigmoid logical_and
        logical_not logical_or logical_xor maximum minimum multiply multiply_no_nan ndtri
        negative nextafter not_equal polygamma polyval pow real reciprocal reciprocal_no_nan
        reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean
        reduce_min reduce_prod reduce_std reduce_sum reduce_variance rint round rsqrt
        scalar_mul segment_max segment_mean segment_min segment_prod segment_sum sigmoid
        sign sin sinh sobol_sample softplus sqrt square squared_difference subtract tan tanh
        top_k truediv unsorted_segment_max unsorted_segment_mean unsorted_segment_min
        unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum xdivy xlog1py
        xlogy zero_fraction zeta
        """
    ),
    "nn": _words(
        """
        atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d
        batch_norm_with_global_normalization batch_normalization bias_add collapse_repeated
        compute_accidental_hits conv1d conv1d_transpose conv2d conv2d_transpose conv3d
        conv3d_transpose conv_transpose convolution crelu ctc_beam_search_decoder
        ctc_greedy_decoder ctc_loss ctc_unique_labels depth_to_space depthwise_conv2d
        depthwise_conv2d_backprop_filter depthwise_conv2d_backprop_input dilation2d dropout
        elu embedding_lookup embedding_lookup_sparse erosion2d fractional_avg_pool
        fractional_max_pool gelu isotonic_regression l2_loss leaky_relu
        local_response_normalization log_poisson_loss log_softmax max_pool max_pool1d
        max_pool2d max_pool3d max_pool_with_argmax moments normalize_moments pool relu relu6
        safe_embedding_lookup_sparse selu separable_conv2d sigmoid_cross_entropy_with_logits
        silu softmax softmax_cross_entropy_with_logits softsign space_to_depth
        sparse_softmax_cross_entropy_with_logits sufficient_statistics
        weighted_cross_entropy_with_logits weighted_moments
        """
    ),
    "quantization": _words(
        """
        dequantize fake_quant_with_min_max_args fake_quant_with_min_max_args_gradient
        fake_quant_with_min_max_vars fake_quant_with_min_max_vars_gradient
        fake_quant_with_min_max_vars_per_channel
        fake_quant_with_min_max_vars_per_channel_gradient quantize quantize_and_dequantize
        quantize_and_dequantize_v2
        """
    ),
    "ragged": _words(
        """
        boolean_mask constant cross range row_splits_to_segment_ids
        segment_ids_to_row_splits stack stack_dynamic_partitions
        """
    ),
    "random": _words(
        """
        categorical fold_in gamma normal poisson shuffle split stateless_binomial
        stateless_categorical stateless_gamma stateless_normal
        stateless_parameterized_truncated_normal stateless_poisson
        stateless_truncated_normal stateless_uniform truncated_normal uniform
        """
    ),
    "sets": _words(
        """
        difference intersection size union
        """
    ),
    "signal": _words(
        """
        dct fft fft2d fft3d fftnd fftshift frame hamming_window hann_window idct ifft ifft2d
        ifft3d ifftnd ifftshift inverse_mdct inverse_stft irfft irfft2d irfft3d irfftnd
        kaiser_bessel_derived_window kaiser_window linear_to_mel_weight_matrix mdct
        mfccs_from_log_mel_spectrograms overlap_and_add rfft rfft2d rfft3d rfftnd stft
        vorbis_window
        """
    ),
    "sparse": _words(
        """
        add bincount concat cross expand_dims eye fill_empty_rows from_dense mask maximum
        minimum reduce_max reduce_sum reorder reset_shape reshape retain sampled_addmm
        segment_mean segment_sqrt_n segment_sum slice softmax sparse_dense_matmul split
        to_dense to_indicator transpose
        """
    ),
    "strings": _words(
        """
        as_string bytes_split join length lower ngrams reduce_join regex_full_match
        regex_replace split strip substr to_hash_bucket to_hash_bucket_fast
        to_hash_bucket_strong to_number unicode_decode unicode_decode_with_offsets
        unicode_encode unicode_split unicode_split_with_offsets unicode_transcode
        unsorted_segment_join upper
        """
    ),
}


def is_tensorflow(function: str) -> bool:
    """Whether a model of Keras 2 may call a function of TensorFlow, such as `math.multiply`.

    Args:
        function: its name below `tf`; that of TensorFlow 1, `compat.v1.`, may stand before it.

    Example:
        >>> is_tensorflow("math.multiply"), is_tensorflow("compat.v1.transpose")
        (True, True)
        >>> is_tensorflow("io.write_file"), is_tensorflow("py_function")
        (False, False)
    """
    place, _, name = function.removeprefix("compat.v1.").rpartition(".")
    return name in TENSORFLOW_FUNCTIONS.get(place, ())
