// The live widget's side in the browser. One frame is on its way at a time: the next one leaves after the answer.
//
// To the kernel:   {type: "start" | "stop", view}
//                  {type: "frame", view, id, time} with one JPEG    (the browser's camera, or a chosen picture)
//                  {type: "next", view, id}                         (a camera or a file on the kernel's machine)
// From the kernel: {type: "faces", view, id, milliseconds, width, height, time, faces} with one JPEG after "next"
//                  {type: "refused" | "ended", view, id, sentence}
//
// A face is {box: [left, top, width, height], label, answer, sure, share, probabilities}; boxes in pixels of the frame
// sent. The answer is the label, or says that it is unsure.

const ANSWER_LIMIT = 20_000; // milliseconds without an answer after which the camera is released
const PERMISSION_HINT = 1_500; // milliseconds after which a user is told that the browser is waiting for permission

const SENTENCES = {
  idle: { camera: "Press Start to open a camera of this computer.", picture: "Choose a picture from this computer.",
    kernel: "Press Start." },
  asking: "The browser asks whether this page may use the camera.",
  opening: "Opening the camera …",
  stopped: { camera: "Stopped; the camera is free.", picture: "Stopped.", kernel: "Stopped." },
  hidden: "Stopped because the page was hidden; nothing is recorded any more. Press Start to go on.",
  unplugged: "The camera was disconnected or taken away. Plug it in again, or choose another one, and press Start.",
  insecure: "Browsers give no camera to a page that came over plain HTTP from another machine. Open JupyterLab at "
    + "http://localhost (for a remote machine: ssh -L 8888:localhost:8888 HOST), or over HTTPS.",
  unsupported: "This browser offers no camera to web pages. Try a current Firefox, Chrome, Edge or Safari.",
  silent: "The kernel has not answered for 20 seconds: it is busy, or was restarted. Stopped. Press Start to try again; "
    + "after a restart, run this cell first.",
  gone: "The kernel was restarted or shut down. Stopped. Run this cell again, then press Start.",
  unreadable: "This file is not a picture that the browser can read. Choose a JPEG, PNG, WebP, GIF or BMP file.",
};

const CAMERA_ERRORS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it for this page (the camera sign beside the "
    + "address, or the system's privacy settings), then press Start.",
  NotFoundError: "No camera was found on this computer. Plug one in and press Start; a picture or a video file works "
    + "without.",
  NotReadableError: "The camera could not be opened; another program may be using it. Close that program and press "
    + "Start.",
};
CAMERA_ERRORS.SecurityError = CAMERA_ERRORS.NotAllowedError;
CAMERA_ERRORS.OverconstrainedError = CAMERA_ERRORS.NotFoundError;
CAMERA_ERRORS.AbortError = CAMERA_ERRORS.NotReadableError;

const RECENT = 3_000; // milliseconds over which speed and delay are told

const newRun = () => ({ stream: null, fresh: null, began: 0, told: 0, recent: [] });

class Ended extends Error {} // a sentence for the user; whatever ran is over

/** Questions to the kernel, one at a time, each with its answer. */
class Line {
  constructor(model) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2);
    this.id = 0;
    this.receive = (message, buffers) => {
      if (message.view === this.view && message.id === this.id) this.answer?.([message, buffers]);
    };
    model.on("msg:custom", this.receive);
  }

  async ask(content, buffers = []) {
    const id = (this.id += 1);
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        [this.answer, this.hangUp] = [resolve, reject];
        timer = setTimeout(() => reject(new Ended(SENTENCES.silent)), ANSWER_LIMIT);
        if (!this.send({ ...content, id }, buffers)) reject(new Ended(SENTENCES.gone));
      });
    } finally {
      clearTimeout(timer);
    }
  }

  tell(type) {
    this.hangUp?.(new Ended("stopped"));
    this.send({ type, id: 0 });
  }

  /** False where there is no kernel any more to send to. */
  send(content, buffers = []) {
    try {
      this.model.send({ ...content, view: this.view }, undefined, buffers);
      return true;
    } catch {
      return false;
    }
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }
}

async function openCamera(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Ended(window.isSecureContext ? SENTENCES.unsupported : SENTENCES.insecure);
  }
  const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, ...(deviceId && { deviceId: { exact: deviceId } }) };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: wanted });
  } catch (error) {
    throw new Ended(CAMERA_ERRORS[error.name] ?? `The camera could not be opened: ${error.name}.`);
  }
}

function nextPicture(video) {
  return new Promise((resolve) => {
    setTimeout(resolve, video.requestVideoFrameCallback ? 1_000 : 33);
    video.requestVideoFrameCallback?.(resolve);
  });
}

/** Draws a picture no larger than `limit` on a canvas and returns it as JPEG bytes. */
function jpeg(canvas, source, width, height, limit, quality) {
  const scale = Math.min(1, limit / Math.max(width, height));
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  // not toBlob, which browsers put off until they are idle: tens of milliseconds beside a playing video
  const text = atob(canvas.toDataURL("image/jpeg", quality).split(",")[1]);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
}

/** One camera, file or picture, from start to stop. */
class Session {
  constructor(model, panel) {
    Object.assign(this, { model, panel, line: new Line(model), scratch: document.createElement("canvas"), run: null });
    this.steps = { camera: () => this.cameraStep(), kernel: () => this.kernelStep() };
  }

  async start() {
    const run = (this.run = newRun());
    try {
      if (this.panel.kind === "camera") await this.openStream(run);
      else this.panel.busy(SENTENCES.opening);
      if (this.run !== run) return;
      this.line.tell("start");
      run.began = performance.now();
      while (this.run === run) await this.steps[this.panel.kind]();
    } catch (error) {
      if (this.run === run) this.stop(error instanceof Ended ? error.message : `The widget failed: ${error}`, true);
    }
  }

  stop(sentence, trouble = false, keep = false) {
    if (!this.run) return;
    release(this.run.stream);
    this.run = null;
    this.line.tell("stop");
    this.panel.idle(sentence, trouble, keep);
  }

  async openStream(run) {
    const { panel } = this;
    panel.busy(SENTENCES.opening);
    const hint = setTimeout(() => panel.say(SENTENCES.asking), PERMISSION_HINT);
    const stream = await openCamera(panel.choice.value).finally(() => clearTimeout(hint));
    if (this.run !== run) return release(stream);
    run.stream = stream;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => this.run === run && this.stop(SENTENCES.unplugged, true));
    panel.video.srcObject = stream;
    panel.stage.hidden = false;
    await Promise.all([panel.video.play(), this.listCameras()]);
  }

  async listCameras() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    const options = cameras.map((camera, i) => new Option(camera.label || `camera ${i + 1}`, camera.deviceId));
    this.panel.choice.replaceChildren(...options);
    this.panel.choice.hidden = options.length < 2;
    const current = this.run?.stream?.getVideoTracks()[0]?.getSettings().deviceId;
    if (current) this.panel.choice.value = current;
  }

  async cameraStep() {
    const { panel, run } = this;
    const { video } = panel;
    await run.fresh;
    if (this.run !== run) return;
    run.fresh = nextPicture(video); // it comes while the kernel works on this one
    if (!video.videoWidth) return;
    const [limit, quality] = [this.model.get("limit"), this.model.get("quality")];
    const bytes = jpeg(this.scratch, video, video.videoWidth, video.videoHeight, limit, quality);
    const sent = performance.now();
    const [message] = await this.line.ask({ type: "frame", time: (sent - run.began) / 1000 }, [bytes]);
    if (this.run === run) this.show(message, sent);
  }

  async kernelStep() {
    const { panel, run } = this;
    const sent = performance.now();
    const [message, buffers] = await this.line.ask({ type: "next" });
    if (this.run !== run) return;
    if (message.type === "faces") {
      const bitmap = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
      const early = message.time * 1000 - (performance.now() - run.began);
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      Object.assign(panel.picture, { width: bitmap.width, height: bitmap.height });
      panel.picture.getContext("2d").drawImage(bitmap, 0, 0);
    }
    if (this.run === run) this.show(message, sent);
  }

  async picture(file) {
    const { panel } = this;
    const run = (this.run = newRun());
    panel.clear();
    panel.busy("Looking for faces …");
    try {
      const bitmap = await createImageBitmap(file).catch(() => { throw new Ended(SENTENCES.unreadable); });
      const bytes = jpeg(panel.picture, bitmap, bitmap.width, bitmap.height, this.model.get("limit"), 0.92);
      this.line.tell("start");
      const sent = performance.now();
      const [message] = await this.line.ask({ type: "frame", time: 0 }, [bytes]);
      if (this.run !== run) return;
      this.show(message, sent);
      this.run = null;
    } catch (error) {
      if (this.run === run) this.stop(error instanceof Ended ? error.message : `The widget failed: ${error}`, true);
    }
  }

  show(message, sent) {
    const { panel, run } = this;
    if (message.type === "refused") throw new Ended(message.sentence);
    if (message.type === "ended") return this.stop(message.sentence, message.trouble, true);
    const now = performance.now();
    run.recent = [...run.recent.filter(([at]) => now - at < RECENT), [now, now - sent]];
    const found = message.faces.length;
    panel.running(found ? `${found} face${found > 1 ? "s" : ""} found.` : "No face found.");
    panel.draw(message.faces, message.width, message.height);
    if (now - run.told < TEXT_INTERVAL) return;
    run.told = now;
    const rate = run.recent.length > 1 ? `${frequency(run.recent).toFixed(0)} frames/s, ` : "";
    panel.speed.textContent = `${rate}${median(run.recent.map(([, took]) => took)).toFixed(0)} ms from frame to answer`;
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Frames a second, by the median time between those of the last seconds. */
function frequency(recent) {
  return 1000 / Math.max(1, median(recent.slice(1).map(([at], i) => at - recent[i][0])));
}

function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

function render({ model, el }) {
  const panel = new Panel(model);
  const session = new Session(model, panel);
  const leaving = new AbortController();
  const on = (target, type, act) => target?.addEventListener(type, act, { signal: leaving.signal });
  const stop = () => session.stop(SENTENCES.stopped[panel.kind]);
  on(panel.button, "click", () => (session.run ? stop() : session.start()));
  on(panel.choice, "change", () => session.run && (stop(), session.start()));
  on(panel.file, "change", () => panel.file.files[0] && session.picture(panel.file.files[0]));
  on(navigator.mediaDevices, "devicechange", () => session.listCameras());
  on(document, "visibilitychange", () => document.hidden && session.stop(SENTENCES.hidden));
  on(window, "pagehide", () => session.stop(SENTENCES.hidden));
  panel.choice.hidden = true;
  el.append(panel.root);
  return () => {
    stop();
    leaving.abort();
    session.line.close();
  };
}

export default { render };
