"""The project with a resource of its own."""

from project.settings import *  # noqa: F403

RESIDENT_RESOURCES = ["tests.test_worker.search"]
