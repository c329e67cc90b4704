"""A web service that uploads in the background (FastAPI).

TURBOUPLOAD_STORE=1234567890 uvicorn web_service:app

POST /uploads {"files": ["/data/a.fastq.gz"], "name": "a"}   starts an upload, or resumes it
GET /uploads/a                                               says how far it is, or how it ended

Paths are taken from below DATA only: whoever reaches the service must not read other files with it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

import turboupload
from turboupload import events

DATA = Path(os.environ.get("DATA", "/data")).resolve()
STORE = os.environ["TURBOUPLOAD_STORE"]


class Wanted(BaseModel):
    """What to upload."""

    files: list[str]
    name: str


class State(BaseModel):
    """Where an upload stands."""

    status: str = "starting"
    done_bytes: int = 0
    total_bytes: int = 0
    read_set_id: str | None = None
    error: str | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One Uploader for the life of the service; when it ends, uploads stop, and can be resumed."""
    async with turboupload.Uploader() as uploader:
        app.state.uploader, app.state.uploads, app.state.tasks = uploader, {}, set()
        yield
        for task in app.state.tasks:
            task.cancel()
        await asyncio.gather(*app.state.tasks, return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.post("/uploads", status_code=202)
async def start(wanted: Wanted) -> State:
    """Starts an upload; one that is under way, or done, is left as it is."""
    known = app.state.uploads.get(wanted.name)
    if known is not None and known.error is None:
        return known
    paths = [(DATA / each).resolve() for each in wanted.files]
    if not all(path.is_relative_to(DATA) for path in paths):
        raise HTTPException(403, "that file is not for upload")
    state = app.state.uploads[wanted.name] = State()
    read_set = turboupload.ReadSet(
        sources=paths, name=wanted.name, sample_id=wanted.name, subject_id=wanted.name
    )
    task = asyncio.create_task(_upload(read_set, state))
    app.state.tasks.add(task)
    task.add_done_callback(app.state.tasks.discard)
    return state


@app.get("/uploads/{name}")
async def show(name: str) -> State:
    """Where an upload stands."""
    if name not in app.state.uploads:
        raise HTTPException(404, "no such upload since the service was started")
    return app.state.uploads[name]


async def _upload(read_set: turboupload.ReadSet, state: State) -> None:
    def hear(event: events.UploadEvent) -> None:
        if isinstance(event, events.Progress):
            state.status = "sending"
            state.done_bytes, state.total_bytes = event.done_bytes, event.total_bytes

    try:
        result = await app.state.uploader.upload(read_set, STORE, on_event=hear)
    except turboupload.TurbouploadError as error:
        state.status, state.error = error.outcome, str(error)
    else:
        state.status, state.read_set_id = result.outcome, result.read_set_id
