"""The stages of the study, in the order in which they run: what each asks, and which blocks of `params.yaml` it reads.

A stage is a line here, a notebook `notebooks/<NN>_<name>.ipynb` and an entry of `dvc.yaml`. The runner, the report and
README's table read the names, numbers and questions from here; tests compare the notebooks and `dvc.yaml` with it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage: a notebook that answers one question."""

    number: int
    """Its place in the run, from 1."""
    name: str
    question: str
    blocks: tuple[str, ...]
    """The blocks of `params.yaml` that its notebook is handed; `dvc.yaml` declares the same."""

    @property
    def title(self) -> str:
        """What people read: `Acquire`."""
        return self.name.capitalize()

    @property
    def each_experiment(self) -> bool:
        """Whether it runs once for each experiment of `train`, which then narrows `train` and `tasks` to that one."""
        return self.name == "train"

    def notebook(self, experiment: str | None = None) -> str:
        """The stem of its notebook: `05_train`, and as executed for an experiment `05_train-typing-cnn`."""
        return f"{self.number:02d}_{self.name}" + (f"-{experiment}" if experiment else "")


_RESULTS = ("train", "defaults", "tasks", "plots")
_STAGES = (
    Stage(
        1, "acquire", "Which images does the study have, whose are they, which may a model learn from, and what could fool it?",
        ("data", "split", "audit", "plots"),
    ),
    Stage(
        2, "explore", "What do the images look like, and could something other than the cell give the class away?",
        ("explore", "tasks", "plots"),
    ),
    Stage(
        3, "prepare", "Where is the cell in each image, what can be measured on it, and do the classes differ in it?",
        ("prepare", "plots"),
    ),
    Stage(
        4, "tune", "Which settings of a head predict best on groups that it was not trained on?",
        ("tune", "train", "defaults", "tasks"),
    ),
    Stage(
        5, "train", "What does this experiment learn from the training images, and when does it stop learning?",
        ("train", "defaults", "tasks"),
    ),
    Stage(
        6, "evaluate", "How good is each model on groups it has never seen, how sure is that, and how far do shortcuts go?",
        ("evaluate", "ensembles", *_RESULTS),
    ),
    Stage(
        7, "interpret", "What does each model decide by: the cell, or something else in the image?",
        ("interpret", *_RESULTS),
    ),
    Stage(
        8, "errors", "What did each model get wrong, was it sure of it, and do the errors come from a few groups?",
        ("errors", *_RESULTS),
    ),
    Stage(
        9, "report", "What does the study say, in one page that opens without a network?",
        ("report", "ensembles", *_RESULTS),
    ),
)  # fmt: skip
STAGES = {stage.name: stage for stage in _STAGES}
"""Name -> stage, in the order of the run."""


def notebooks(experiments: list[str]) -> list[tuple[str, str]]:
    """The stem of every executed notebook of a study and its title, in the order of the run."""
    stems = []
    for stage in STAGES.values():
        if stage.each_experiment:
            stems += [(stage.notebook(name), f"{stage.title}: {name}") for name in experiments]
        else:
            stems.append((stage.notebook(), f"{stage.title}: {stage.question}"))
    return stems
