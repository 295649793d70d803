"""The paper's title, the line below it, and the abstract: the figures that matter, drawn from the runs."""

from experiments.progress import format_duration
from experiments.report.document import Code, Words, between, counted, listed, number, percent, points, sentence
from experiments.report.facts import RunFacts
from experiments.report.study import Study


def title(study: Study) -> str:
    """What the paper is about."""
    people = {len(run.people) for run in study.runs}
    on = f" on {people.pop()} people" if len(people) == 1 else ""
    models = list(dict.fromkeys(run.recipe.model.name for run in study.runs))
    if study.single:
        return f"{models[0]}{on}"
    if len(study.families) == 1:
        return f"{models[0]}{on}, {counted(len(study.runs), 'seed')}"
    if len(models) == 1:
        return f"{models[0]}{on}: {counted(len(study.families), 'recipe')} compared"
    return f"{sentence(counted(len(models), 'network'))}{on}, {counted(len(study.runs), 'run')} compared"


def subtitle(study: Study) -> Words:
    """Which run, or how many, and when they were begun."""
    days = sorted({str(run.environment.get("started", ""))[:10] for run in study.runs} - {""})
    when = f", begun {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    if study.single:
        return Code(study.runs[0].folder), when
    return (f"{counted(len(study.runs), 'run')} of {counted(len(study.families), 'recipe')}{when}",)


def abstract(study: Study) -> Words:
    """What was trained, how good it became, and what it is worth in verification."""
    words = _about_one(study.runs[0]) if study.single else _about_several(study)
    return (*words, *_verification_words(study))


def _about_one(run: RunFacts) -> Words:
    metrics, library = run.metrics, "PyTorch" if run.pytorch else "mytorch, our own library"
    words: list[str | Code] = [f"A network, {run.recipe.model.name}, was "]
    if run.learned:
        words.append(f"trained by {library} to name {len(run.people):,} people")
        words.append(f", in {counted(len(run.history), 'epoch')} that took {format_duration(metrics['seconds'])}. ")
    else:
        words.append(f"given the class means of the embeddings of {len(run.people):,} people; nothing was trained. ")
    if metrics.get("top1") is None:
        words.append("All pictures trained, so that none are left to say how good it is. ")
    else:
        words.append(f"Of pictures that it did not learn from it names {percent(metrics['top1'])} rightly (top-1), ")
        words.append(f"and for {percent(metrics['top5'])} the right person is among its five likeliest (top-5). ")
        if run.learned and metrics.get("best_top1") is not None and metrics["best_epoch"] != metrics["epoch"]:
            words.append(
                f"Its best epoch, the {_ordinal(metrics['best_epoch'])}, has {percent(metrics['best_top1'])}. "
            )
    if run.evaluation:
        figures = run.evaluation.figures
        words.append(f"Evaluated with the best epoch’s weights{_views(figures)}, it has {percent(figures['top1'])}")
        interval = between(figures.get("top1_interval"))
        words.append(f" (95\N{NO-BREAK SPACE}% interval {interval}). " if interval else ". ")
    return tuple(words)


def _about_several(study: Study) -> Words:
    runs, best = study.runs, study.best
    folders = list(dict.fromkeys(run.data for run in runs if run.data))
    words: list[str | Code] = [
        f"{sentence(counted(len(runs), 'run'))} of {counted(len(study.families), 'recipe')} are compared"
    ]
    if len(folders) == 1 and study.same_pictures:
        words += [", all on the same pictures of ", Code(folders[0])]
    elif not study.same_pictures:
        words.append(", which did not all learn from the same pictures")
    words.append(". ")
    if best is None:
        return (*words, "All pictures trained, so that none are left to say how good they are. ")
    top1 = best.top1()
    words += ["The best, ", *best.called]  # type: ignore[list-item]
    spread = best.spread()
    if spread is None:
        words.append(f", names {percent(top1)} of the validation pictures rightly after its last epoch (top-1)")
    else:
        words.append(f", names {percent(top1)} of the validation pictures rightly after the last epoch (top-1), ")
        words.append(f"with a standard deviation of {points(spread)} over its seeds")
    ranked = [family for family in study.families[1:] if family.top1() is not None]
    if ranked:
        words += ["; the last, ", *ranked[-1].called, f", {percent(ranked[-1].top1())}. "]  # type: ignore[list-item]
    else:
        words.append(". ")
    several = [family for family in study.families if len(family.runs) > 1 and family is not best]
    if several:
        counts = [f"runs\N{NO-BREAK SPACE}{family.numbers}" for family in several]
        words.append(f"{sentence(listed(counts))} differ in the seed alone. ")
    if study.evaluated:
        some = f"{sentence(number(len(study.evaluated)))} of the {number(len(runs))}"
        words.append(f"{'All' if len(study.evaluated) == len(runs) else some} were evaluated further. ")
    return tuple(words)


def _verification_words(study: Study) -> Words:
    if not study.verified:
        return ()
    run = study.verified[0]
    assert run.verification is not None
    figures = run.verification.figures
    interval = between((figures.get("intervals") or {}).get("eer"), 2)
    words: list[str | Code] = ["In verification "]
    words += ["it has" if study.single else "the lowest equal error rate is that of "]
    words += ["" if study.single else part for part in study.call(run)]  # type: ignore[misc]
    words.append(
        f" an equal error rate of {percent(figures['eer'], 2)}" if study.single else f": {percent(figures['eer'], 2)}"
    )
    words.append(f" ({interval})" if interval else "")
    return (*words, f" on {figures['genuine'] + figures['impostor']:,} pairs.")


def _views(figures: dict[str, object]) -> str:
    views = figures.get("views", "none")
    return "" if views in ("none", None) else f" and views averaged ({views})"


def _ordinal(count: int) -> str:
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"
