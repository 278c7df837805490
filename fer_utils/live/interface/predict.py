"""Images, folders and videos on the command line: annotated copies and one table of all faces."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from fer_utils.files.reading import is_text, printable
from fer_utils.files.writing import reason
from fer_utils.live.faces import Face
from fer_utils.live.images import UnreadableError, read_image, write_image
from fer_utils.live.interface import kinds
from fer_utils.live.interface.drawing import draw, number
from fer_utils.live.interface.kinds import AVIF, IMAGES, INTERRUPTED, VIDEOS
from fer_utils.live.recognizer import EmotionRecognizer
from fer_utils.live.stream.session import Session
from fer_utils.live.stream.sources import SourceError, VideoFile
from fer_utils.live.stream.timeline import Timeline

TABLE = "predictions.csv"
ENOUGH = 0.9
"""Share of the frames that a video's file promises, below which something is missing: the promise is an estimate."""


@dataclass(frozen=True)
class Job:
    """One file to read and the annotated copy to write."""

    source: Path
    target: Path


@dataclass
class Outcome:
    """What has been done."""

    files: int = 0
    faces: int = 0
    without: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faces = "1 face" if self.faces == 1 else f"{self.faces:,} faces"
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        none = f"; in {self.without:,} no face was found" if self.without else ""
        return f"{faces} in {files}{none}."


def predict(paths: Sequence[Path], out: Path, recognizer: EmotionRecognizer, overwrite: bool = False) -> int:
    """Annotate files and write `predictions.csv`, one row per face and frame; of videos a timeline too.

    A line is printed for each file.

    Args:
        paths: images, videos, and folders, whose images and videos at any depth are taken.
        out: folder for the copies and the table.
        recognizer: what finds and classifies.
        overwrite: whether files in `out` may be replaced. What is read is never replaced.

    Returns:
        Exit code: 0; 1 if a file could not be read or written (all are listed at the end); 130 after Ctrl-C (what is
        done stays).

    Raises:
        ValueError: there is nothing to read, or something would be overwritten; nothing has been written then.
    """
    jobs = collect(paths, out)
    _check_targets(jobs, out, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    tally = Outcome(failed=[line for path in paths if path.is_dir() for line in kinds.left_out(path, out)])
    stopped = _all(jobs, out, recognizer, tally)
    print(printable(f"{tally} Annotated copies and {TABLE} are in {out}."))
    for line in tally.failed:
        print(printable(line), file=sys.stderr)
    if stopped:
        print(f"Stopped: {tally.files} of {len(jobs)} files are done and kept.", file=sys.stderr)
        return INTERRUPTED
    return 1 if tally.failed else 0


def _all(jobs: Sequence[Job], out: Path, recognizer: EmotionRecognizer, tally: Outcome) -> bool:
    """Do every job; returns whether Ctrl-C came in between."""
    with (out / TABLE).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        shares = [f"p_{name}" for name in recognizer.class_names]
        table.writerow(["file", "frame", "time", "track", "x", "y", "width", "height", "label", "sure", *shares])
        try:
            for job in tqdm(jobs, unit="file", disable=None):
                _one(job, recognizer, table, tally)
                file.flush()
        except KeyboardInterrupt:
            return True
    return False


def collect(paths: Sequence[Path], out: Path) -> list[Job]:
    """All files to read, in order, each with a target of its own in `out`.

    A folder's files keep their places below its name; hidden files and whatever lies in `out` are passed over. Of two
    files that ask for the same copy, the one of that very name gets it.

    Raises:
        ValueError: a path leads nowhere, or a folder or all of the paths hold no image or video.
    """
    named: list[tuple[Path, Path]] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"Images, videos and folders are named by their paths; there is no {path}. Correct it.")
        found = list(_walk(path, out)) if path.is_dir() else [(path, Path(path.name))]
        if not found:
            other = f"none, and {len(kinds.left_out(path, out)):,} files of kinds that are not read"
            raise ValueError(f"A folder holds images or videos ({', '.join(IMAGES + VIDEOS)}); {path} has {other}.")
        named += found
    if not named:
        raise ValueError("At least one image, video or folder must be named; got none.")
    targets, taken = {}, {out / TABLE}
    for i in sorted(range(len(named)), key=lambda i: _suffix(named[i][0]) != named[i][0].suffix):
        source, place = named[i]
        targets[i] = _free(out / place.with_suffix(_suffix(source)), taken, source)
        taken |= _written(targets[i], source)
    return [Job(source, targets[i]) for i, (source, _) in enumerate(named)]


def _walk(folder: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Images and videos below a folder, with their place relative to its parent."""
    for path in kinds.files(folder, out, IMAGES + VIDEOS):
        yield path, Path(folder.resolve().name) / path.relative_to(folder)


def _suffix(source: Path) -> str:
    """Same format where it can be written; GIF and AVIF become PNG, videos MP4 unless they are AVI."""
    suffix = source.suffix
    if suffix.lower() in VIDEOS:
        return suffix if suffix.lower() in (".avi", ".mp4") else ".mp4"
    return suffix if suffix.lower() in IMAGES and suffix.lower() not in (".gif", *AVIF) else ".png"


def _free(target: Path, taken: set[Path], source: Path) -> Path:
    """The target, numbered if another file of this call has it, or what is written beside it, already."""
    numbered = (target.with_stem(f"{target.stem}-{number}") for number in range(2, len(taken) + 3))
    return next(path for path in (target, *numbered) if not _written(path, source) & taken)


def _written(target: Path, source: Path) -> set[Path]:
    """All files that are written of one that is read."""
    return {target, *(_beside(target) if source.suffix.lower() in VIDEOS else ())}


def _check_targets(jobs: Sequence[Job], out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"Copies go into a folder; {out} is a file. Give another --out.")
    read = {job.source.resolve() for job in jobs}
    if same := [job.target for job in jobs if job.target.resolve() in read]:
        raise ValueError(f"A copy is never written over what is read; {same[0]} would be. Give another --out.")
    files = sorted(path for job in jobs for path in _written(job.target, job.source))
    there = [path for path in (out / TABLE, *files) if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"Nothing is overwritten without --overwrite; {there[0]} and {len(there) - 1} others are there already. "
            "Add --overwrite, or give another folder by --out."
        )


def _one(job: Job, recognizer: EmotionRecognizer, table: Any, tally: Outcome) -> None:
    """Read, annotate and tabulate one file; note it if that cannot be done."""
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        video = job.source.suffix.lower() in VIDEOS
        n_faces = (_video if video else _image)(job, recognizer, table)
    except (UnreadableError, SourceError) as error:
        tally.failed.append(f"could not be read: {job.source}: {error}")
        return
    except OSError as error:
        tally.failed.append(f"could not be written: {job.target}: {reason(error)}")
        return
    tally.files += 1
    tally.faces += n_faces
    tally.without += n_faces == 0


def _image(job: Job, recognizer: EmotionRecognizer, table: Any) -> int:
    image = read_image(job.source)
    faces = recognizer(image, "bgr")
    write_image(job.target, draw(image, faces, recognizer.notice))
    table.writerows(_row(job.source, 0, 0.0, face) for face in faces)
    tqdm.write(printable(f"{job.source}: {_said(faces)}"))
    return len(faces)


def _video(job: Job, recognizer: EmotionRecognizer, table: Any) -> int:
    """Annotate a video (without its sound), and count people; after Ctrl-C the frames so far are kept."""
    session, total, read = Session(recognizer), 0, 0
    partial = job.target.with_name(f".partial-{job.target.name}")
    writer: cv2.VideoWriter | None = None
    try:
        with VideoFile(job.source) as video:
            timeline = Timeline(video.frames_per_second)
            bar = {"total": video.n_frames, "unit": "frame", "leave": False}
            for frame in tqdm(video, desc=job.source.name, disable=None, **bar):
                faces = session(frame)
                writer = writer or _writer(partial, video.frames_per_second, _even(frame.image).shape)
                writer.write(_even(draw(frame.image, faces, recognizer.notice)))
                timeline.add(faces, frame.time)
                table.writerows(_row(job.source, frame.index, frame.time, face) for face in faces)
                total, read = total + len(faces), read + 1
    finally:
        if writer is not None:
            writer.release()
            partial.replace(job.target)
            timeline.write(*_beside(job.target))
    if writer is None:
        raise SourceError("not one frame of it can be decoded.")
    people = len({stretch.person for stretch in timeline.stretches()})
    seen = "1 person" if people == 1 else f"{people} people"
    tqdm.write(printable(f"{job.source}: {seen}, see {_beside(job.target)[1].name}"))
    if video.n_frames and read < ENOUGH * video.n_frames:
        raise SourceError(f"only {read} of its {video.n_frames} frames can be decoded; the copy ends there.")
    return people or min(total, 1)


def _beside(target: Path) -> tuple[Path, Path]:
    """The table and the picture of a video's timeline, beside its annotated copy."""
    return tuple(target.with_name(f"{target.stem}-timeline{suffix}") for suffix in (".csv", ".png"))


def _even(image: np.ndarray) -> np.ndarray:
    """With an even number of rows and columns: the encoders cut an odd one off, so it is repeated."""
    height, width = image.shape[:2]
    odd = height % 2 or width % 2
    return cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE) if odd else image


def _writer(path: Path, rate: float, shape: tuple[int, ...]) -> cv2.VideoWriter:
    if not is_text(path):
        raise OSError("OpenCV writes videos into folders whose names are text; give another --out")
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix.lower() == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, rate, (shape[1], shape[0]))
    if not writer.isOpened():
        raise OSError(f"OpenCV and FFmpeg cannot write {path.name}; is there room?")
    return writer


def _row(source: Path, frame: int, seconds: float, face: Face) -> list[Any]:
    shares = [f"{share:.5f}" for share in face.probabilities]
    track = "" if face.track is None else face.track
    return [source, frame, f"{seconds:.3f}", track, *face.box, face.label, int(face.sure), *shares]


def _said(faces: Sequence[Face]) -> str:
    """What is seen in a picture, in one line; the largest face first."""
    said = (f"{number(faces, i)}{face.answer} {face.confidence:.0%}" for i, face in enumerate(faces))
    return "; ".join(said) or "no face"
