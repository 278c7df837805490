"""The live demo: faces in pictures, videos and cameras, each with its predicted expression.

    from fer_utils.live import EmotionRecognizer

    faces = EmotionRecognizer()(frame)

Nothing here stores or sends a picture; only `python -m fer_utils predict` writes the copies it is asked for.
"""

from fer_utils.live.detection.detectors import Detector, Haar, YuNet
from fer_utils.live.detection.retinaface import RetinaFace
from fer_utils.live.faces import Box, Face, Frame
from fer_utils.live.images import UnreadableError, read_image
from fer_utils.live.interface.drawing import draw
from fer_utils.live.recognizer import EmotionRecognizer
from fer_utils.live.stream.session import Session
from fer_utils.live.stream.smoothing import Smoother, Smoothing
from fer_utils.live.stream.sources import Camera, SourceError, VideoFile
from fer_utils.live.stream.tracking import Tracker

__all__ = [
    "Box",
    "Camera",
    "Detector",
    "EmotionRecognizer",
    "Face",
    "Frame",
    "Haar",
    "RetinaFace",
    "Session",
    "Smoother",
    "Smoothing",
    "SourceError",
    "Tracker",
    "UnreadableError",
    "VideoFile",
    "YuNet",
    "draw",
    "read_image",
]
