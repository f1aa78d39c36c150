"""``ai_job_runs``: every run of a cron job, so that its silence can be noticed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from aimeter_cli.models.columns import moment


class JobRun(SQLModel, table=True):
    """``counts`` is a JSON object; ``exit_code`` None while it runs, or if it was killed."""

    __tablename__ = "ai_job_runs"
    __table_args__ = (Index("ix_job_run_command", "command", "started_at"),)

    id: str = Field(primary_key=True)
    command: str
    host: str
    started_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
    exit_code: int | None = None
    counts: str | None = None
    error: str | None = None
