#!/usr/bin/python3
"""Checks the plans of the exported networks, as `moka info` prints them, on one device.

usage: check_plans.py MOKA NETWORKS_FOLDER DEVICE

For every network, at several shapes: live bytes within 5 % of their lower bound, one segment without crossings, at most
as many barriers as the plan is deep. Prints how long binding took; times gate nothing.
"""

import json
import pathlib
import subprocess
import sys

MOST_OF_BOUND = 1.05
SHAPES = ((1, 224, 224), (2, 160, 192), (4, 96, 64))


def plan_of(moka, model, device, sizes):
    command = [moka, "info", "--json", "--strict", "--device", device, model]
    for name, size in zip(("batch", "height", "width"), sizes):
        command += ["--set", f"{name}={size}"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{model}: exit code {run.returncode}: {run.stderr.strip()[:2000]}")
    return json.loads(run.stdout)["plan"]


def problems_of(plan):
    memory = plan["memory"]
    if memory["total"] > MOST_OF_BOUND * memory["lower_bound"]:
        yield f"{memory['total']} live bytes, lower bound {memory['lower_bound']}"
    if plan["segments"] != 1 or plan["crossings"] != 0:
        yield f"{plan['segments']} segments, {plan['crossings']} crossings"
    if plan["barriers"] > plan["depth"]:
        yield f"{plan['barriers']} barriers, depth {plan['depth']}"


def main():
    moka, folder, device = sys.argv[1:]
    failures, networks = [], sorted(pathlib.Path(folder).glob("*/model.onnx"))
    for model in networks:
        name = model.parent.name
        shapes = [shape[:1] for shape in SHAPES] if name.startswith("fashion_mnist") else SHAPES
        for shape in shapes:
            plan = plan_of(moka, model, device, shape)
            failures += [f"{name} {shape} on {device}: {problem}" for problem in problems_of(plan)]
            memory = plan["memory"]
            print(f"{name} {shape} on {device}: {len(plan['steps'])} steps, {plan['barriers']} barriers, "
                  f"{memory['total']} live bytes ({memory['total'] / memory['lower_bound']:.3f} of the bound), "
                  f"bound in {plan['bind_us']:.0f} us", flush=True)
    print("\n".join(failures) or f"the plans of {len(networks)} networks are sound")
    return 1 if failures or not networks else 0


if __name__ == "__main__":
    sys.exit(main())
