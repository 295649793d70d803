"""The section on limits: what the figures cannot say, by what the runs are."""

from experiments.report.document import Block, Code, Paragraph, Section, say
from experiments.report.phrases import counted, sentence
from experiments.report.study import Study

FACES = ("inception_resnet_v1", "inception_resnet_v1_pooled", "mobilefacenet")
"""Backbones whose weights, where they have any, come from faces."""


def limits_section(study: Study) -> Section:
    """Choice by the pictures that judge, luck, few pictures, people known beforehand, and fair use."""
    blocks: list[Block] = []
    if study.best is not None:
        blocks.append(
            say(
                "The validation pictures chose the best epoch, and whoever compared runs by them chose settings, too:"
                " figures of best epochs are a little too good, and pictures that nobody looked at would be the fair"
                " test."
            )
        )
        blocks.append(_luck(study))
    pretrained = [run for run in study.runs if run.pytorch and run.recipe.transfer.weights != "none"]
    if pretrained:
        faces = [run for run in pretrained if run.recipe.transfer.backbone in FACES]
        who = "The network" if study.single else sentence(Study.listed(pretrained))
        begins = "begin" if len(pretrained) > 1 else "begins"
        text = (
            f"{who} {begins} with pretrained weights; whether the people here were among the pictures that made them,"
            " no run’s folder says."
        )
        if faces:
            text += (
                " Weights of face networks often come from VGGFace2 or other public collections. Competitions whose"
                " folders are called n000001 and so on take their people from VGGFace2: such weights have seen most of"
                " them, and the figures are better than they would be for strangers."
            )
        blocks.append(say(text))
    small = [run for run in study.verified if run.verification and run.verification.figures.get("people", 1000) < 100]
    if small and small[0].verification:
        people = small[0].verification.figures["people"]
        blocks.append(
            say(
                f"The pairs of the verification show {counted(int(people), 'person', 'people')}: error rates of so few"
                " hold for them, and roughly for others."
            )
        )
    if not study.same_pictures:
        blocks.append(
            say("The runs validated on different pictures, so that part of their differences is one of pictures.")
        )
    unfinished = [run for run in study.runs if not run.complete]
    if unfinished and not study.single:
        blocks.append(say(f"{sentence(Study.listed(unfinished))} stopped before the last epoch."))
    blocks.append(
        say(
            "A face recognised is a person singled out. Figures such as these hold for the people and pictures they"
            " were measured on; errors fall unevenly on groups of people, and what follows from a match wants a human’s"
            " judgement and the consent of those shown."
        )
    )
    return Section("Limits", blocks)


def _luck(study: Study) -> Paragraph:
    seeds = [family for family in study.families if len(family.runs) > 1]
    if study.single:
        return say(
            "One run with one seed does not say how much of its figures is luck; others come with ",
            Code("--set seed=1"),
            ".",
        )
    if not seeds:
        return say(
            "Every recipe was run with one seed, so that small differences may be luck; more come with ",
            Code("--set seed=1"),
            ".",
        )
    if len(seeds) < len(study.families):
        return say(
            f"Only {counted(len(seeds), 'recipe')} of {len(study.families)} ran with several seeds; small differences"
            " between the others may be luck."
        )
    return say("Standard deviations over a few seeds are themselves rough.")
