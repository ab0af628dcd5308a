"""Options that several commands of `evit-export` have."""

from __future__ import annotations

import click

from evit_deploy.artifact import FORMAT_SUFFIXES

format_option = click.option(
    "-f",
    "--format",
    "formats",
    type=click.Choice(list(FORMAT_SUFFIXES)),
    multiple=True,
    help="Repeatable; both where not given.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random weights."
)
jobs_option = click.option(
    "-j",
    "--jobs",
    "processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Artifacts exported at a time; as many as cores and memory bear where not given.",
)
keep_failed_option = click.option(
    "--keep-failed", is_flag=True, help="Keep a graph that fails verification, as NAME.failed.EXT."
)
keep_samples_option = click.option(
    "--keep-samples",
    is_flag=True,
    help="Also write NAME.EXT.samples.npz: every input of the verification and the reference's output.",
)
manifests_option = click.option("--json", "as_json", is_flag=True, help="Manifests on stdout, for machines.")
