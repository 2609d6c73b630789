"""The names of Keras 3 and of tf_keras that a file may use.

A file from elsewhere names the classes and functions that a framework is to call. A list of what
is forbidden always has holes: this is a list of what has been looked at and found to compute arrays
from arrays, and to touch no file, process, native library, other variable or Python code.
What a new version of Keras adds is refused until somebody has looked at it, and a test says so.
"""

from __future__ import annotations

__all__ = [
    "ACTIVATIONS",
    "CONSTRAINTS",
    "DTYPE_POLICIES",
    "INITIALIZERS",
    "LAYERS",
    "LOSSES",
    "METRICS",
    "MODELS",
    "OPTIMIZERS",
    "QUANTIZERS",
    "REFUSED",
    "REGULARIZERS",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELS = frozenset({"Functional", "Model", "Sequential"})

#: Layers and cells, those of old files included.
LAYERS = _words(
    """
    Activation ActivityRegularization AddLoss AddMetric GroupedQueryAttention
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization
    BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop
    Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D
    Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D
    Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CustomScaleLayer
    CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout DropoutWrapper ELU
    EinsumDense Embedding Equalization Flatten GRU GRUCell GRUCellV1 GRUCellV2 GRUV1 GRUV2
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D
    GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity InputLayer
    IntegerLookup LSTM LSTMCell LSTMCellV1 LSTMCellV2 LSTMV1 LSTMV2 LayerNormalization
    LayerScale LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes
    MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram
    Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth
    RandomZoom ReLU RepeatVector Rescaling Reshape ResidualWrapper Resizing ReversibleEmbedding
    STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D
    SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup
    Subtract SyncBatchNormalization TextVectorization ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D
    ZeroPadding3D
    """
)

#: Activations by name.
ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softmax_v2 softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish
    tanh tanh_shrink threshold
    """
)

#: Initializers: classes, and the names that stand for them.
INITIALIZERS = _words(
    """
    Constant ConstantV2 GlorotNormal GlorotNormalV2 GlorotUniform GlorotUniformV2 HeNormal
    HeNormalV2 HeUniform HeUniformV2 Identity IdentityInitializer IdentityV2 LecunNormal
    LecunNormalV2 LecunUniform LecunUniformV2 Ones OnesV2 Orthogonal OrthogonalInitializer
    OrthogonalV2 RandomNormal RandomNormalV2 RandomUniform RandomUniformV2 STFT STFTInitializer
    TruncatedNormal TruncatedNormalV2 VarianceScaling VarianceScalingV2 Zeros ZerosV2 constant
    glorot_normal glorot_normalV2 glorot_uniform glorot_uniformV2 he_normal he_normalV2
    he_uniform he_uniformV2 identity lecun_normal lecun_normalV2 lecun_uniform lecun_uniformV2
    normal one ones orthogonal random_normal random_uniform stft truncated_normal uniform
    variance_scaling zero zeros
    """
)

#: Regularizers: classes, and the names that stand for them.
REGULARIZERS = _words(
    """
    L1 L1L2 L2 OrthogonalRegularizer l1 l1_l2 l1l2 l2 orthogonal_regularizer
    """
)

#: Constraints: classes, and the names that stand for them.
CONSTRAINTS = _words(
    """
    MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm max_norm min_max_norm non_neg
    radial_constraint unit_norm
    """
)

#: Policies of the dtypes in which a layer computes and keeps its weights.
DTYPE_POLICIES = _words(
    """
    AWQDTypePolicy DTypePolicy DTypePolicyMap FloatDTypePolicy GPTQDTypePolicy Int4DTypePolicy
    Policy PolicyV1 QuantizedDTypePolicy QuantizedFloat8DTypePolicy
    """
)

#: Quantizers and what configures them.
QUANTIZERS = _words(
    """
    AWQConfig AbsMaxQuantizer Float8QuantizationConfig GPTQConfig Int4QuantizationConfig
    Int8QuantizationConfig QuantizationConfig
    """
)

#: Optimizers and their schedules: a model inside of another one may bring its own.
OPTIMIZERS = _words(
    """
    Adadelta Adafactor Adagrad Adam AdamW Adamax CosineDecay CosineDecayRestarts
    ExponentialDecay Ftrl InverseTimeDecay Lamb Lion LossScaleOptimizer MultiOptimizer Muon
    Nadam OptimizerMap PiecewiseConstantDecay PolynomialDecay RMSprop SGD ScheduleFreeAdamW
    """
)

#: Losses: classes and functions.
LOSSES = _words(
    """
    BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy
    CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy CategoricalHinge Circle
    CosineSimilarity Dice Hinge Huber KLD KLDivergence LogCosh MAE MAPE MSE MSLE
    MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError
    Poisson SparseCategoricalCrossentropy SquaredHinge Tversky binary_crossentropy
    binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy
    categorical_generalized_cross_entropy categorical_hinge circle cosine_similarity ctc dice
    hinge huber kl_divergence kld kullback_leibler_divergence log_cosh logcosh mae mape
    mean_absolute_error mean_absolute_percentage_error mean_squared_error
    mean_squared_logarithmic_error mse msle poisson sparse_categorical_crossentropy
    squared_hinge tversky
    """
)

#: Metrics: classes and functions.
METRICS = _words(
    """
    AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy
    CategoricalCrossentropy CategoricalHinge ConcordanceCorrelation CosineSimilarity F1Score
    FBetaScore FalseNegatives FalsePositives Hinge IoU KLD KLDivergence LogCoshError MAE MAPE
    MSE MSLE Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanMetricWrapper
    MeanRelativeError MeanSquaredError MeanSquaredLogarithmicError MeanTensor OneHotIoU
    OneHotMeanIoU PearsonCorrelation Poisson Precision PrecisionAtRecall R2Score Recall
    RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity SparseCategoricalAccuracy
    SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy SpecificityAtSensitivity
    SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives TruePositives binary_accuracy
    binary_crossentropy binary_focal_crossentropy categorical_accuracy categorical_crossentropy
    categorical_focal_crossentropy categorical_hinge concordance_correlation hinge huber
    kl_divergence kld kullback_leibler_divergence log_cosh logcosh mae mape mean_absolute_error
    mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error mse msle
    pearson_correlation poisson sparse_categorical_accuracy sparse_categorical_crossentropy
    sparse_top_k_categorical_accuracy squared_hinge top_k_categorical_accuracy
    """
)

#: What has been looked at and is refused, with the reason.
REFUSED = {
    "AbstractRNNCell": "an abstract class: the class that a file means is not known",
    "BaseRandomLayer": "an abstract class",
    "BatchNormalizationBase": "an abstract class",
    "ClassMethod": "it calls any method of any class of TensorFlow",
    "DenseFeatures": "its columns name files of vocabularies",
    "DeviceWrapper": "it chooses the device that computes",
    "FlaxLayer": "it runs code out of the file",
    "Input": "a function, which no file names",
    "InputSpec": "no layer",
    "JaxLayer": "it runs code out of the file",
    "Lambda": "it runs code out of the file",
    "Layer": "an abstract class",
    "LinearModel": "its columns name files of vocabularies",
    "SequenceFeatures": "its columns name files of vocabularies",
    "TFSMLayer": "it loads and runs another SavedModel",
    "TensorFlowOpLayer": "it holds any operation of TensorFlow, as bytes",
    "TorchModuleWrapper": "it runs code out of the file",
    "WideDeepModel": "its columns name files of vocabularies",
    "_RNNCellWrapper": "an abstract class",
}
