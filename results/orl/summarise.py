"""Gathers the figures that `measure` copied here into summary.json, and prints them."""

import json
from pathlib import Path
from statistics import mean

HERE = Path(__file__).parent


def main() -> None:
    """One entry a recipe: accuracy by seed, seconds, and how far the twins parted."""
    summary = {}
    for recipe in ("scratch_cnn", "scratch_resnet"):
        folders = [HERE / f"{recipe}-{seed}" for seed in range(3)]
        metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
        twins = [json.loads((folder / "twin-float32.json").read_text()) for folder in folders]
        double = json.loads((folders[0] / "twin-float64.json").read_text())
        summary[recipe] = {
            "top1_last_epoch": [row["top1"] for row in metrics],
            "top1_mean": round(mean(row["top1"] for row in metrics), 5),
            "seconds": [row["seconds"] for row in metrics],
            "parameters": metrics[0]["parameters"],
            "float64_100_steps_largest_difference": double["largest_difference"],
            "float32_first_5_steps_largest_difference": [row["largest_difference_first_5"] for row in twins],
            "float32_mytorch_top1": [row["mytorch_top1"] for row in twins],
            "float32_torch_top1": [row["torch_top1"] for row in twins],
            "step_time_ratio_mytorch_over_torch": [round(row["step_ratio"], 3) for row in twins],
        }
    text = json.dumps(summary, indent=2)
    (HERE / "summary.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
