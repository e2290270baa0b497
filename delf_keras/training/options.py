"""What a training run is told."""

from dataclasses import dataclass

STAGES = ("descriptor", "attention", "joint")
OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "linear", "cosine")
POOLINGS = ("sum", "mean")

# What is not the same in every stage, of `TrainingOptions`, `PipelineOptions`
# and `Augmentation`. The sizes of the first two stages are the paper's, which
# does not name optimizers; the third is the recipe of tensorflow/models, of
# which the first has the optimizer.
STAGE_DEFAULTS = {
    "descriptor": {
        "image_size": 224,
        "resize_size": 250,
        "batch_size": 32,
        "crop": "centre",
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "pooling": "sum",
    },
    "attention": {
        "image_size": 720,
        "resize_size": 900,
        "batch_size": 8,
        "gammas": (1.0, 0.7071, 0.5, 0.3536),
        "crop": "centre",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "pooling": "sum",
    },
    "joint": {
        "image_size": 321,
        "resize_size": 358,
        "batch_size": 32,
        "crop": "area",
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "pooling": "mean",
    },
}


def with_stage_defaults(stage, options):
    """Completes options by the defaults of a stage.

    Args:
        stage: str. One of `STAGES`.
        options: dict of names to values, None for what is not given.

    Returns:
        dict of what is given, and of the defaults of the stage for what is
        not. A smaller `image_size` has a smaller `resize_size`, to show as
        much of a photograph.

    Raises:
        ValueError: if there is no such stage.
    """
    if stage not in STAGES:
        raise ValueError(
            f"stage must be one of {STAGES}. Received: stage={stage!r}"
        )
    defaults = STAGE_DEFAULTS[stage]
    given = {k: v for k, v in options.items() if v is not None}
    share = given.get("image_size", 0) / defaults["image_size"] or 1
    resize_size = round(share * defaults["resize_size"])
    return defaults | {"resize_size": resize_size} | given


@dataclass(frozen=True)
class TrainingOptions:
    """How a `Delf` is trained in one stage.

    None stands for the default of the stage, see `STAGE_DEFAULTS`.

    Attributes:
        stage: "descriptor" (the backbone, section 4.1 of the paper),
            "attention" (section 4.2) or "joint" (both at once, as in
            tensorflow/models).
        epochs: Passes, each followed by validation and a checkpoint.
        steps_per_epoch: Batches of a pass, or 0 for as many as the data has.
        optimizer: "sgd" (with momentum 0.9), "adam" or "adamw".
        learning_rate: The highest of the schedule.
        schedule: "constant", "linear" or "cosine", the last two down to 0.
        weight_decay: Factor of half the squared L2 norm of every kernel in
            the loss; with "adamw" the decay of the optimizer.
        clip_norm: Length to which the gradient of all weights is clipped, or
            0.
        label_smoothing: Share of the label that all classes have alike.
        pooling: "sum" or "mean" of the cells by attention.
        autoencoder: Channels of the autoencoder of a joint stage, or 0.
        attention_weight: Factor of the attention's loss in a joint stage.
        reconstruction_weight: Factor of the autoencoder's.
        seed: Of new weights and of the order of the photographs.

    Reference:
        Noh et al., arXiv 1612.06321, sections 4.1 and 4.2.
    """

    stage: str
    epochs: int = 10
    steps_per_epoch: int = 0
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str = "linear"
    weight_decay: float = 1e-4
    clip_norm: float = 10.0
    label_smoothing: float = 0.0
    pooling: str | None = None
    autoencoder: int = 0
    attention_weight: float = 1.0
    reconstruction_weight: float = 10.0
    seed: int = 0

    def __post_init__(self):
        completed = with_stage_defaults(self.stage, vars(self))
        for name in ("optimizer", "learning_rate", "pooling"):
            object.__setattr__(self, name, completed[name])
        allowed = {
            "epochs": self.epochs >= 1,
            "steps_per_epoch": self.steps_per_epoch >= 0,
            "optimizer": self.optimizer in OPTIMIZERS,
            "learning_rate": self.learning_rate > 0,
            "schedule": self.schedule in SCHEDULES,
            "weight_decay": self.weight_decay >= 0,
            "clip_norm": self.clip_norm >= 0,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "pooling": self.pooling in POOLINGS,
            "autoencoder": self.autoencoder >= 0,
            "attention_weight": self.attention_weight >= 0,
            "reconstruction_weight": self.reconstruction_weight >= 0,
            "seed": self.seed >= 0,
        }
        for name, allows in allowed.items():
            if not allows:
                raise ValueError(
                    f"optimizer must be one of {OPTIMIZERS}, schedule of "
                    f"{SCHEDULES}, pooling of {POOLINGS}, epochs and "
                    "learning_rate positive, "
                    "label_smoothing in [0, 1) and the others not negative. "
                    f"Received: {name}={getattr(self, name)!r}"
                )

    def epoch_length(self, num_images, batch_size):
        """Returns the number of steps of an epoch."""
        return self.steps_per_epoch or max(num_images // batch_size, 1)
