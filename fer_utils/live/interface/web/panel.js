// What the user sees of the live widget. Joined with session.js into one module by webcam.py.

const TEXT_INTERVAL = 200; // milliseconds between two changes of numbers, which otherwise nobody could read

function element(tag, className, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), { className, ...properties });
  made.append(...children);
  return made;
}

function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`;
}

/** Whether two places [left, top, width, height] share a pixel. */
function meet([x, y, w, h], [left, top, wide, high]) {
  return x < left + wide && left < x + w && y < top + high && top < y + h;
}

/** What the user sees: controls, the picture with boxes, a status line, and the probabilities as text and bars. */
class Panel {
  constructor(model) {
    this.model = model;
    this.kind = model.get("kind");
    this.colours = model.get("colours");
    this.rows = [];
    this.listed = 0;
    this.button = element("button", "fer-button", { type: "button" });
    this.choice = element("select", "fer-choice", { title: "Camera" });
    this.choice.setAttribute("aria-label", "Camera");
    this.mirror = element("input", "", { type: "checkbox", checked: model.get("mirrored") });
    this.file = element("input", "fer-file", { type: "file", accept: "image/*" });
    this.file.setAttribute("aria-label", "Picture");
    this.video = element("video", "fer-video", { muted: true, playsInline: true, autoplay: true });
    this.picture = element("canvas", "fer-picture");
    this.overlay = element("canvas", "fer-overlay");
    this.overlay.setAttribute("role", "img");
    this.stage = element("div", "fer-stage", {}, this.kind === "camera" ? this.video : this.picture, this.overlay);
    this.speed = element("span", "fer-speed");
    this.status = element("div", "fer-status");
    this.status.setAttribute("role", "status");
    this.faces = element("div", "fer-faces");
    const mirrorLabel = element("label", "fer-mirror", {}, this.mirror, " mirrored");
    const choose = element("label", "fer-button fer-choose", {}, "Choose a picture", this.file);
    const controls = { camera: [this.button, this.choice, mirrorLabel], picture: [choose], kernel: [this.button] };
    this.root = element("div", "fer-live", {},
      element("div", "fer-controls", {}, ...controls[this.kind], this.speed),
      this.status, this.stage, this.faces,
      element("div", "fer-note", { textContent: model.get("notice") }));
    this.root.dataset.kind = this.kind;
    this.mirror.addEventListener("change", () => this.mirrored());
    this.mirrored();
    this.idle(SENTENCES.idle[this.kind], false);
  }

  get flipped() {
    return this.kind === "camera" && this.mirror.checked;
  }

  mirrored() {
    this.video.classList.toggle("fer-flipped", this.flipped);
    if (this.drawn) this.draw(...this.drawn);
  }

  say(sentence, trouble = false) {
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
    this.status.classList.toggle("fer-trouble", trouble);
  }

  idle(sentence, trouble, keep = false) {
    this.root.dataset.state = "idle";
    this.button.textContent = "Start";
    this.speed.textContent = "";
    this.video.srcObject = null;
    if (!keep) this.clear();
    this.say(sentence, trouble);
  }

  busy(sentence) {
    this.root.dataset.state = "busy";
    this.button.textContent = "Stop";
    this.say(sentence);
  }

  running(sentence) {
    this.root.dataset.state = "running";
    this.say(sentence);
  }

  clear() {
    this.drawn = null;
    this.rows = [];
    this.stage.hidden = true;
    this.faces.replaceChildren();
    for (const canvas of [this.overlay, this.picture]) canvas.width = canvas.height = 0;
  }

  /** Boxes over a frame of width × height pixels, and the same in words below it. */
  draw(faces, width, height) {
    this.drawn = [faces, width, height];
    this.stage.hidden = false;
    this.stage.style.maxWidth = `calc(60vh * ${width / height})`; // the bars below a tall picture stay in view
    Object.assign(this.overlay, { width, height });
    const pen = this.overlay.getContext("2d");
    const unit = width / (this.stage.clientWidth || width); // frame pixels per pixel of the screen
    const boxes = faces.map(({ box: [x, y, w, h] }) => [this.flipped ? width - x - w : x, y, w, h]);
    faces.forEach((face, i) => this.box(pen, boxes[i], face, unit));
    const taken = [];
    faces.forEach((face, i) => {
      const others = [...boxes.filter((_, j) => j !== i), ...taken];
      taken.push(this.plate(pen, boxes[i], face, faces.length > 1 ? `${i + 1} ` : "", others, taken, unit));
    });
    const now = performance.now();
    if (faces.length === this.rows.length && now - this.listed < TEXT_INTERVAL) return;
    this.listed = now;
    this.list(faces);
  }

  words(face) {
    return `predicted expression: ${face.answer}, ${percent(face.share)}`;
  }

  /** The colour of a face and that of letters on it. */
  shades({ label, sure }) {
    return (sure && this.colours[label]) || ["#6b6b6b", "#ffffff"];
  }

  box(pen, place, face, unit) {
    for (const [line, style] of [[5, "rgba(0, 0, 0, 0.55)"], [3, this.shades(face)[0]]]) {
      Object.assign(pen, { lineWidth: line * unit, strokeStyle: style });
      pen.strokeRect(...place);
    }
  }

  /** Writes a face's label where it covers no other face and no other label; returns its place. */
  plate(pen, [x, y, w, h], face, number, others, taken, unit) {
    const { width, height } = this.overlay;
    const fits = ([left, top, wide, high]) => left >= 0 && top >= 0 && left + wide <= width && top + high <= height;
    const free = (place, from) => !from.some((other) => meet(place, other));
    const places = [];
    for (const text of [`${number}${face.answer} ${percent(face.share)}`, ...(number ? [number.trim()] : [])]) {
      for (const size of [Math.min(Math.max(w / unit / 7, 12), 22) * unit, 11 * unit]) {
        pen.font = `600 ${size}px system-ui, sans-serif`;
        const [wide, high] = [pen.measureText(text).width + 0.8 * size, 1.45 * size];
        const left = Math.min(Math.max(x, 0), Math.max(width - wide, 0));
        const tops = [[left, y - high], [left, y + h], [x + w, Math.max(y, 0)], [x - wide, Math.max(y, 0)],
          [left, Math.max(y, 0)], [left, Math.min(y + h, height) - high]];
        places.push(...tops.map(([at, top]) => ({ text, size, place: [at, top, wide, high] })));
      }
    }
    const chosen = places.find(({ place }) => fits(place) && free(place, others))
      ?? places.findLast(({ place }) => free(place, taken)) ?? places.at(-1);
    const [colour, ink] = this.shades(face);
    const [at, top, , high] = chosen.place;
    Object.assign(pen, { fillStyle: colour, font: `600 ${chosen.size}px system-ui, sans-serif` });
    pen.fillRect(...chosen.place);
    Object.assign(pen, { fillStyle: ink, textBaseline: "middle" });
    pen.fillText(chosen.text, at + 0.4 * chosen.size, top + high / 2 + unit);
    return chosen.place;
  }

  /** Head lines and bars; made anew only when their number changes. */
  list(faces) {
    this.overlay.setAttribute("aria-label", faces.map((face) => this.words(face)).join("; ") || "no face found");
    if (faces.length !== this.rows.length) {
      this.rows = faces.map((face, i) => this.row(face, i < 2 ? Object.keys(face.probabilities) : []));
      this.faces.replaceChildren(...this.rows.map(({ root }) => root));
    }
    faces.forEach((face, i) => {
      const { head, bars } = this.rows[i];
      head.textContent = (faces.length > 1 ? `Face ${i + 1}, ` : "") + this.words(face);
      for (const { name, bar, share } of bars) {
        share.textContent = percent(face.probabilities[name]);
        bar.style.transform = `scaleX(${face.probabilities[name]})`;
      }
    });
  }

  row(face, names) {
    const head = element("div", "fer-head");
    const bars = names.map((name) => {
      const [bar, share] = [element("span", "fer-bar"), element("span", "fer-share")];
      bar.style.background = (this.colours[name] ?? ["#888888"])[0];
      const root = element("div", "fer-row", {}, element("span", "fer-name", { textContent: name }),
        element("span", "fer-track", {}, bar), share);
      return { name, bar, share, root };
    });
    return { head, bars, root: element("div", "fer-face", {}, head, ...bars.map(({ root }) => root)) };
  }
}
