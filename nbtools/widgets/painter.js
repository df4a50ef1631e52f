// The painter on the page. A Desk is what all views of one painter share: the shown plane, the
// tool, and the actions that wait for the kernel. A View is one picture of it with its buttons. The
// kernel holds the labels; see canvas.py for the messages.

const TOOLS = {
  outline: {
    key: "o",
    name: "Outline",
    hint: "Draw around a nucleus; it is filled when you let go",
  },
  brush: { key: "b", name: "Brush", hint: "Paint the chosen nucleus" },
  erase: { key: "e", name: "Eraser", hint: "Remove pixels from any nucleus" },
  fill: { key: "f", name: "Fill", hint: "Click into a hole or a closed outline to fill it" },
  click: {
    key: "c",
    name: "Click",
    hint: "Click on a nucleus that is missing: the network outlines it",
  },
  pick: { key: "p", name: "Pick", hint: "Click on a nucleus to choose it" },
  point: { key: "m", name: "Point", hint: "Click on the middle of a nucleus" },
  box: { key: "m", name: "Box", hint: "Drag from one corner of a nucleus to the other" },
  move: { key: "h", name: "Move", hint: "Drag the picture; or hold the space bar with any tool" },
};
// Kinds of annotation and their tools; the first tool is chosen at the start.
const MARKS = {
  nuclei: ["outline", "brush", "erase", "fill", "pick", "move"],
  scribbles: ["brush", "erase", "move"],
  centres: ["point", "move"],
  boxes: ["box", "move"],
};
const listTools = ({ mark, assist }) => [...MARKS[mark], ...(assist ? ["click"] : [])];
const BLOB = 3; // radius of a centre's disc, as in marks.py
const KEYS = [
  ["Z  Y", "undo, redo (or Ctrl+Z, Ctrl+Y)"],
  ["V", "hide or show the labels"],
  [
    "+  −  Home",
    "zoom in, out, whole picture; the wheel too, once you have clicked into the picture",
  ],
  ["Space", "hold it and drag to move the picture"],
  ["Ctrl+S", "save"],
];
const MARK_KEYS = {
  nuclei: [
    ["N", "a new nucleus: the next number"],
    ["A  S", "smaller, larger brush"],
    ["D", "delete the nucleus under the pointer"],
    ["J", "join the nucleus under the pointer to the chosen one"],
    ["X", "split a nucleus that was cut with the eraser"],
  ],
  scribbles: [
    ["N  K", "mark nucleus, mark background"],
    ["A  S", "smaller, larger brush"],
  ],
  centres: [["D", "delete the centre under the pointer"]],
  boxes: [["D", "delete the box whose line is under the pointer"]],
};
const VOLUME_KEYS = [["↑  ↓", "next, previous plane"]];
const GAP_KEYS = [["G", "fill the nucleus under the pointer between its painted planes"]];
const CLASS_KEYS = [["1 … 9, 0", "class of the nucleus under the pointer; 0 removes it"]];
const WAIT_MS = 4000;

class Desk {
  constructor(model) {
    this.model = model;
    this.about = model.get("about");
    const { width, height, planes } = this.about;
    this.plane = { width, height, labels: new Int32Array(width * height) };
    this.touched = new Uint8Array(width * height);
    this.shades = new Map(this.about.shades);
    this.overlay = Object.assign(document.createElement("canvas"), { width, height });
    this.z = 0;
    this.state = { count: 0, next: 1, classes: [], heard: 0, told: "", undo: 0, redo: 0 };
    this.classes = new Map();
    this.pending = [];
    this.views = new Set();
    this.scribbling = this.about.empty < 0;
    const look = this.scribbling ? { radius: 1.5, opacity: 0.6 } : { radius: 6, opacity: 0.3 };
    this.options = {
      ...look,
      tool: MARKS[this.about.mark][0],
      keep: !this.scribbling,
      each: planes === 1 && !this.scribbling,
      hidden: false,
      byClass: false,
    };
    this.current = 1;
    this.number = Date.now() * 1000;
    this.queue = Promise.resolve();
    model.on("msg:custom", (content) => this.receive(content));
    const scene = model.get("scene");
    if (scene) this.receive({ kind: "plane", ...scene });
    this.send({ ask: "plane", z: scene ? scene.z : 0 });
  }

  // ---- to and from the kernel

  send(message) {
    this.number += 1;
    this.model.send({ z: this.z, ...message, number: this.number });
    return this.number;
  }

  act(action) {
    action.at = Math.round(Date.now() / 100) / 10;
    const number = this.send({ action });
    this.pending.push({ number, action, since: Date.now() });
    this.refresh();
  }

  receive(content) {
    this.queue = this.queue
      .then(() => this.take(content))
      .catch((error) => this.tell(String(error), true));
  }

  async take(content) {
    const labels = content.label && (await unpackPlane(content.label, this.plane.labels.length));
    const picture =
      content.picture && (await (await fetch(`data:image/png;base64,${content.picture}`)).blob());
    if (picture) this.picture = await createImageBitmap(picture);
    const first = this.state.heard === 0 && !this.stroke;
    this.state = { ...this.state, ...content, label: null, picture: null };
    this.pending = this.pending.filter((waiting) => waiting.number > content.heard);
    this.classes = new Map(content.classes);
    if (labels) this.putPlane(labels, content.z);
    if (this.wanted === this.z) this.wanted = undefined;
    if (first && !this.scribbling) this.current = this.state.next;
    if (content.told) this.tell(content.told, content.error);
    this.changed();
  }

  // The kernel's plane, with strokes on top that it had not heard of yet.
  putPlane(labels, z) {
    if (this.stroke && z !== this.z) {
      this.liftStroke();
      this.stroke = null;
    }
    this.z = z;
    this.plane.labels = labels;
    for (const { action } of this.pending) {
      if (action.do !== "paint" || action.z !== z) continue;
      for (let i = 0; i < action.runs.length; i += 2)
        labels.fill(action.to, action.runs[i], action.runs[i] + action.runs[i + 1]);
    }
    if (this.stroke) this.touched.forEach((hit, place) => hit && (labels[place] = this.stroke.to));
    this.middles = null;
    this.shadeAll();
  }

  // One plane is asked for at a time: turning a wheel quickly does not pile up work.
  showPlane(z) {
    z = Math.max(0, Math.min(this.about.planes - 1, z));
    if (z === (this.wanted ?? this.z)) return;
    const asked = this.wanted !== undefined;
    this.wanted = z;
    if (!asked) this.send({ ask: "plane", z });
  }

  changed() {
    if (this.wanted !== undefined) this.send({ ask: "plane", z: this.wanted });
    this.refresh();
  }

  tell(words, error = false) {
    this.told = { words, error };
    this.refresh();
  }

  refresh() {
    for (const view of this.views) view.refresh();
  }

  // ---- labels

  get next() {
    return this.pending.reduce(
      (most, { action }) => Math.max(most, (action.to || 0) + 1),
      this.state.next,
    );
  }

  takeNew() {
    this.setCurrent(this.scribbling ? 1 : this.next);
  }

  setCurrent(label) {
    this.current = label;
    if (this.scribbling) this.options.tool = "brush";
    this.shadeAll();
    this.refresh();
  }

  labelAt(place) {
    return place === null ? 0 : this.plane.labels[place];
  }

  // A stroke begins, pixels are added to it, it ends and goes to the kernel.
  begin(to, erase = false) {
    this.stroke = { to, erase, z: this.z, box: [Infinity, Infinity, -1, -1] };
  }

  touch = (place) => {
    const { labels, width } = this.plane;
    const { to, erase, box } = this.stroke;
    if (labels[place] === to || (this.options.keep && !erase && labels[place] !== 0)) return;
    labels[place] = to;
    this.touched[place] = 1;
    const column = place % width;
    const row = (place - column) / width;
    box[0] = Math.min(box[0], column);
    box[1] = Math.min(box[1], row);
    box[2] = Math.max(box[2], column);
    box[3] = Math.max(box[3], row);
  };

  // The pixels of the stroke, row by row, and none touched any more.
  liftStroke() {
    const { box } = this.stroke;
    const places = [];
    for (let row = box[1]; row <= box[3]; row++) {
      for (
        let place = row * this.plane.width + box[0];
        place <= row * this.plane.width + box[2];
        place++
      ) {
        if (!this.touched[place]) continue;
        places.push(place);
        this.touched[place] = 0;
      }
    }
    return places;
  }

  end() {
    const { to, z, box } = this.stroke;
    const places = this.liftStroke();
    this.stroke = null;
    if (!places.length) return false;
    this.middles = null;
    this.shade(...box);
    this.act({ do: "paint", z, to, runs: gatherRuns(places) });
    return true;
  }

  fillAt(place) {
    const { places, open, beside } = findRegion(this.plane, place);
    const label = this.labelAt(place);
    if (label === 0 && open) {
      this.tell(
        "Only a closed region can be filled: this background reaches the border of the image. " +
          "Close the outline, and try again.",
        true,
      );
      return;
    }
    beside.delete(0);
    const to = label === 0 && beside.size === 1 ? [...beside][0] : this.current;
    this.begin(to, label !== 0);
    places.forEach(this.touch);
    this.end();
  }

  // ---- colours

  colorOf(label) {
    const { colors } = this.about;
    if (this.scribbling) return colors[label > 0 ? 2 : 6];
    if (label < 0) return [150, 150, 150];
    if (this.options.byClass && this.about.names.length) {
      const index = this.classes.get(label);
      return index ? colors[(index - 1) % colors.length] : [190, 190, 190];
    }
    return colors[this.shades.get(label) ?? (label - 1) % colors.length];
  }

  shadeAll() {
    this.shade(0, 0, this.plane.width - 1, this.plane.height - 1);
  }

  // Colour the labels of a box of pixels, and one pixel around it: filled lightly, with a full
  // outline, which is white for the chosen nucleus.
  shade(left, top, right, bottom) {
    const { width, height, labels } = this.plane;
    [left, top] = [Math.max(0, left - 1), Math.max(0, top - 1)];
    [right, bottom] = [Math.min(width - 1, right + 1), Math.min(height - 1, bottom + 1)];
    if (right < left || bottom < top) return;
    const part = new ImageData(right - left + 1, bottom - top + 1);
    const pixels = new Uint32Array(part.data.buffer);
    const alpha = Math.round(255 * this.options.opacity) << 24;
    const { empty } = this.about;
    const white = this.scribbling ? empty : this.current;
    let [last, color] = [empty, 0];
    for (let row = top, i = 0; row <= bottom; row++) {
      for (let column = left; column <= right; column++, i++) {
        const place = row * width + column;
        const label = labels[place];
        if (label === empty) continue;
        if (label !== last) {
          const [red, green, blue] = this.colorOf(label);
          [last, color] = [label, (blue << 16) | (green << 8) | red];
        }
        const edge =
          (column > 0 && labels[place - 1] !== label) ||
          (column < width - 1 && labels[place + 1] !== label) ||
          (row > 0 && labels[place - width] !== label) ||
          (row < height - 1 && labels[place + width] !== label);
        pixels[i] = edge ? (label === white ? 0xffffffff : color | (255 << 24)) : color | alpha;
      }
    }
    this.overlay.getContext("2d").putImageData(part, left, top);
  }
}

class View {
  constructor(desk, root) {
    this.desk = desk;
    this.root = root;
    this.pointers = new Map();
    this.hover = null;
    root.classList.add("nb-painter-root");
    root.tabIndex = 0;
    // JupyterLab: keys are for the painter while it has the focus
    root.dataset.lmSuppressShortcuts = "true";
    this.build();
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("keyup", (event) => event.key === " " && this.setSpace(false));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    this.timer = setInterval(() => this.desk.pending.length && this.refresh(), 1000);
    desk.views.add(this);
    this.refresh();
  }

  close() {
    clearInterval(this.timer);
    this.observer.disconnect();
    this.desk.views.delete(this);
  }

  // ---- buttons

  build() {
    const { about, options } = this.desk;
    const volume = about.planes > 1;
    this.tools = {};
    const painting = ["nuclei", "scribbles"].includes(about.mark);
    const tools = listTools(about).map((name) => {
      const tool = TOOLS[name];
      const words = `${tool.hint} (${tool.key.toUpperCase()})`;
      return (this.tools[name] = button(
        tool.name,
        words,
        () => this.setOption("tool", name),
        `nb-painter-${name}`,
      ));
    });
    const { scribbling } = this.desk;
    const hint = scribbling ? "Mark pixels of nuclei (N)" : "The next number (N)";
    this.fresh = button(
      scribbling ? "Nucleus" : "New nucleus",
      hint,
      () => this.desk.takeNew(),
      "nb-painter-new",
    );
    this.ground = button(
      "Background",
      "Mark pixels of background (K)",
      () => this.desk.setCurrent(0),
      "nb-painter-ground",
    );
    this.undo = button("Undo", "Z", () => this.desk.act({ do: "undo" }), "nb-painter-undo");
    this.redo = button("Redo", "Y", () => this.desk.act({ do: "redo" }), "nb-painter-redo");
    this.saver = button(
      "Save",
      "Save the labels in the data set (Ctrl+S)",
      () => this.desk.send({ ask: "save" }),
      "nb-painter-save",
    );
    this.chosen = element("span", "nb-painter-chosen");
    this.sliders = {
      radius: slider("Brush", [0.5, 60, 0.5], options.radius, (value) =>
        this.setOption("radius", value),
      ),
      opacity: slider("Labels", [0, 1, 0.05], options.opacity, (value) =>
        this.setOption("opacity", value),
      ),
      brightness: slider("Brightness", [-1, 4, 0.25], 0, (value) => this.setBrightness(value)),
    };
    const checks = [];
    if (about.mark === "nuclei") {
      const hint = "Painting leaves other nuclei as they are";
      checks.push(
        checkbox("keep neighbours", hint, options.keep, (on) => this.setOption("keep", on)),
      );
    }
    if (about.mark === "nuclei" || about.mark === "boxes") {
      const words =
        about.mark === "boxes" ? "each box is a new nucleus" : "each outline is a new nucleus";
      checks.push(
        checkbox(words, "Otherwise it belongs to the chosen nucleus", options.each, (on) =>
          this.setOption("each", on),
        ),
      );
    }
    if (about.names.length)
      checks.push(
        checkbox("colour by class", "", options.byClass, (on) => this.setOption("byClass", on)),
      );
    const zoom = [
      button("−", "Zoom out (−)", () => this.zoomBy(1 / 1.3), "nb-painter-out"),
      button("+", "Zoom in (+)", () => this.zoomBy(1.3), "nb-painter-in"),
      button("Whole", "Whole picture (Home)", () => this.fit(), "nb-painter-fit"),
    ];
    this.stage = element("div", "nb-painter-stage");
    this.canvas = element("canvas", "nb-painter-canvas");
    this.canvas.setAttribute("role", "img");
    this.stage.append(this.canvas);
    this.status = element("div", "nb-painter-status");
    this.message = element("div", "nb-painter-told");
    this.message.setAttribute("role", "status");
    const rows = [
      row(group(...tools), this.buildChosen(), group(this.undo, this.redo), group(this.saver)),
      row(
        ...Object.entries(this.sliders).map(([name, made]) =>
          name !== "radius" || painting ? made.whole : "",
        ),
        group(...zoom),
        group(...checks),
      ),
    ];
    if (volume) {
      this.planes = slider("Plane", [0, about.planes - 1, 1], this.desk.z, (value) =>
        this.desk.showPlane(value),
      );
      this.planes.whole.classList.add("nb-painter-planes");
      rows.push(row(this.planes.whole));
    }
    this.root.append(...rows, this.stage);
    if (about.names.length) this.root.append(this.buildLegend());
    this.root.append(this.status, this.message, buildHelp(volume, about));
    this.listen();
  }

  // What the brush paints: a nucleus number, or nucleus and background; each centre is new.
  buildChosen() {
    const { mark } = this.desk.about;
    if (mark === "scribbles") return group(this.fresh, this.ground);
    return mark === "centres" ? group() : group(this.fresh, this.chosen);
  }

  buildLegend() {
    const { names, colors } = this.desk.about;
    const legend = element("div", "nb-painter-legend", "Class of the nucleus under the pointer:");
    names.forEach((name, i) => {
      const color = `rgb(${colors[i % colors.length].join(",")})`;
      const entry = element("span", "nb-painter-class", name);
      entry.prepend(
        Object.assign(element("kbd", "", String(i + 1)), { style: `background:${color}` }),
      );
      legend.append(entry);
    });
    return legend;
  }

  setOption(name, value) {
    this.desk.options[name] = value;
    if (["opacity", "byClass"].includes(name)) this.desk.shadeAll();
    this.desk.refresh();
  }

  setBrightness(value) {
    clearTimeout(this.dimmer);
    this.dimmer = setTimeout(() => this.desk.send({ ask: "brightness", value }), 80);
  }

  // ---- pointer

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerup", (event) => this.onUp(event));
    canvas.addEventListener("pointercancel", (event) => this.onUp(event));
    canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.refresh();
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  onDown(event) {
    event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (event.pointerType === "pen") this.pen = true;
    const palm = this.pen && event.pointerType === "touch";
    if (this.pointers.size > 1) this.startPinch();
    else if (this.space || palm || event.button === 1 || this.desk.options.tool === "move")
      this.dragging = true;
    else if (event.button === 0) this.startTool(event);
    this.refresh();
  }

  startTool(event) {
    const { desk } = this;
    const { tool } = desk.options;
    const point = this.toPixel(event);
    const place = this.placeOf(point);
    desk.told = null;
    if (tool === "pick" && desk.labelAt(place) > 0) {
      desk.setCurrent(desk.labelAt(place));
      this.setOption("tool", "brush");
    } else if (tool === "fill" && place !== null) desk.fillAt(place);
    else if (tool === "click" && place !== null) {
      desk.act({ do: "click", z: desk.z, place });
      desk.tell("The network looks …");
    } else if (tool === "outline") this.line = [point];
    else if (tool === "box") this.corner = point;
    else if (tool === "point" && place !== null)
      this.addMark(() => visitDisc(desk.plane, ...point.map(Math.floor), BLOB, desk.touch), true);
    else if (tool === "brush" || tool === "erase") {
      desk.begin(tool === "erase" ? desk.about.empty : desk.current, tool === "erase");
      this.stamp(point, point);
    }
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    const here = [event.offsetX, event.offsetY];
    if (before) this.pointers.set(event.pointerId, here);
    if (this.pinch) return this.movePinch();
    if (this.dragging && before) this.moveBy(here[0] - before[0], here[1] - before[1]);
    const points = (event.getCoalescedEvents?.() || []).map((one) => this.toPixel(one));
    if (!points.length) points.push(this.toPixel(event));
    if (this.line) this.line.push(...points);
    if (this.desk.stroke && before) points.forEach((point) => this.stamp(this.lastPoint, point));
    this.hover = points[points.length - 1];
    this.refresh();
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
    if (this.pinch) {
      if (!this.pointers.size) this.pinch = null;
      return;
    }
    this.dragging = false;
    if (this.line) this.closeLine();
    if (this.corner) this.closeBox(this.toPixel(event));
    if (this.desk.stroke) this.desk.end();
    this.refresh();
  }

  // The disc of the brush along a line.
  stamp(from, to) {
    const { desk } = this;
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const steps = Math.max(1, Math.ceil(Math.hypot(dx, dy) / Math.max(1, desk.options.radius / 2)));
    for (let i = 0; i <= steps; i++) {
      const [x, y] = [from[0] + (dx * i) / steps - 0.5, from[1] + (dy * i) / steps - 0.5];
      visitDisc(desk.plane, x, y, Math.max(0.71, desk.options.radius), desk.touch);
    }
    const reach = Math.ceil(desk.options.radius) + 2;
    const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])].map(Math.round);
    const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])].map(Math.round);
    desk.shade(left - reach, top - reach, right + reach, bottom + reach);
    this.lastPoint = to;
  }

  closeLine() {
    const points = this.line.map(([x, y]) => [x - 0.5, y - 0.5]);
    this.line = null;
    this.addMark(
      () => points.length > 2 && visitPolygon(this.desk.plane, points, this.desk.touch),
      this.desk.options.each,
    );
  }

  closeBox(end) {
    const [xs, ys] = [0, 1].map((axis) =>
      [this.corner[axis], end[axis]].map(Math.floor).sort((a, b) => a - b),
    );
    this.corner = null;
    if (xs[1] - xs[0] < 2 || ys[1] - ys[0] < 2) return;
    this.addMark(
      () => visitFrame(this.desk.plane, xs, ys, this.desk.touch),
      this.desk.options.each,
    );
  }

  // Pixels that are added at once, to a new nucleus or to the chosen one.
  addMark(visit, fresh) {
    const { desk } = this;
    const before = desk.current;
    if (fresh) desk.current = desk.next;
    desk.begin(desk.current);
    visit();
    if (!desk.end()) desk.current = before;
    else if (desk.current !== before) desk.shadeAll();
  }

  startPinch() {
    this.line = this.corner = null;
    this.dragging = false;
    if (this.desk.stroke && this.desk.end()) this.desk.act({ do: "undo" });
    this.pinch = this.measurePinch();
  }

  measurePinch() {
    const [a, b] = [...this.pointers.values()];
    return {
      x: (a[0] + b[0]) / 2,
      y: (a[1] + b[1]) / 2,
      span: Math.hypot(a[0] - b[0], a[1] - b[1]),
    };
  }

  movePinch() {
    if (this.pointers.size < 2) return;
    const now = this.measurePinch();
    this.moveBy(now.x - this.pinch.x, now.y - this.pinch.y);
    this.zoomBy(now.span / Math.max(1, this.pinch.span), now.x, now.y);
    this.pinch = now;
  }

  onWheel(event) {
    if (
      !event.ctrlKey &&
      document.activeElement !== this.root &&
      this.root.getRootNode().activeElement !== this.root
    )
      return;
    event.preventDefault();
    this.zoomBy(2 ** (-event.deltaY / 300), event.offsetX, event.offsetY);
  }

  setSpace(on) {
    this.space = on;
    this.refresh();
  }

  onKey(event) {
    if (
      event.target !== this.root &&
      event.target.matches("input[type=range]") &&
      event.key.startsWith("Arrow")
    )
      return;
    if (
      event.altKey ||
      ((event.ctrlKey || event.metaKey) && !["z", "y", "s"].includes(event.key.toLowerCase()))
    )
      return;
    if (event.key === " " && event.target.matches("button, input, summary")) return;
    if (!this.doKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  doKey(event) {
    const { desk } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const label = desk.labelAt(this.placeOf(this.hover));
    if (event.ctrlKey || event.metaKey) {
      if (key === "s") this.saver.click();
      else desk.act({ do: key === "y" || event.shiftKey ? "redo" : "undo" });
      return true;
    }
    const tool = Object.keys(this.tools).find((name) => TOOLS[name].key === key);
    const { radius, hidden } = desk.options;
    const acts = {
      n: () => desk.takeNew(),
      k: () => desk.scribbling && desk.setCurrent(0),
      a: () => this.setOption("radius", Math.max(0.5, radius / 1.25)),
      s: () => this.setOption("radius", Math.min(60, radius * 1.25)),
      z: () => desk.act({ do: "undo" }),
      y: () => desk.act({ do: "redo" }),
      v: () => this.setOption("hidden", !hidden),
      d: () => label > 0 && desk.act({ do: "remove", label }),
      x: () => label > 0 && desk.act({ do: "part", label }),
      g: () => label > 0 && desk.act({ do: "between", label }),
      j: () =>
        label > 0 && label !== desk.current && desk.act({ do: "join", label, into: desk.current }),
      " ": () => this.setSpace(true),
      "+": () => this.zoomBy(1.3),
      "-": () => this.zoomBy(1 / 1.3),
      Home: () => this.fit(),
      ArrowUp: () => desk.showPlane((desk.wanted ?? desk.z) + 1),
      ArrowDown: () => desk.showPlane((desk.wanted ?? desk.z) - 1),
    };
    if (/^[0-9]$/.test(key)) this.setClass(label, Number(key));
    else if (tool) this.setOption("tool", tool);
    else if (acts[key]) acts[key]();
    else return false;
    return true;
  }

  setClass(label, digit) {
    const { names } = this.desk.about;
    if (label <= 0 || digit > names.length || !names.length) return;
    this.desk.act({ do: "class", label, name: digit ? names[digit - 1] : "" });
  }

  // ---- picture

  toPixel(event) {
    return [(event.offsetX - this.left) / this.zoom, (event.offsetY - this.top) / this.zoom];
  }

  placeOf(point) {
    if (!point) return null;
    const { width, height } = this.desk.plane;
    const [column, line] = point.map(Math.floor);
    return column >= 0 && line >= 0 && column < width && line < height
      ? line * width + column
      : null;
  }

  resize() {
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, {
      width: Math.round(width * ratio),
      height: Math.round(height * ratio),
    });
    if (this.zoom === undefined || this.fitted) this.fit();
    this.refresh();
  }

  fit() {
    const { width, height } = this.desk.plane;
    this.zoom = Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height);
    this.left = (this.stage.clientWidth - width * this.zoom) / 2;
    this.top = (this.stage.clientHeight - height * this.zoom) / 2;
    this.fitted = true;
    this.refresh();
  }

  moveBy(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
    this.refresh();
  }

  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = Math.min(60, Math.max(0.05, this.zoom * factor));
    this.left = x - ((x - this.left) / this.zoom) * zoom;
    this.top = y - ((y - this.top) / this.zoom) * zoom;
    this.zoom = zoom;
    this.fitted = false;
    this.refresh();
  }

  // Draw once for each picture of the screen, however often something changed.
  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
      this.writeStatus();
    });
  }

  draw() {
    const { desk, canvas } = this;
    if (this.zoom === undefined || !canvas.width) return;
    const pen = canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(
      ratio * this.zoom,
      0,
      0,
      ratio * this.zoom,
      ratio * this.left,
      ratio * this.top,
    );
    pen.imageSmoothingEnabled = this.zoom * ratio < 1;
    if (desk.picture) pen.drawImage(desk.picture, 0, 0);
    if (!desk.options.hidden) {
      pen.drawImage(desk.overlay, 0, 0);
      this.drawClasses(pen);
    }
    pen.lineWidth = 1.5 / this.zoom;
    if (this.line) this.drawLine(pen);
    if (this.corner && this.hover) {
      pen.strokeStyle = "#fff";
      pen.strokeRect(
        ...this.corner,
        this.hover[0] - this.corner[0],
        this.hover[1] - this.corner[1],
      );
    }
    this.drawBrush(pen);
  }

  drawLine(pen) {
    const [red, green, blue] = this.desk.colorOf(
      this.desk.options.each ? this.desk.next : this.desk.current,
    );
    pen.strokeStyle = `rgb(${red},${green},${blue})`;
    pen.beginPath();
    this.line.forEach(([x, y]) => pen.lineTo(x, y));
    pen.stroke();
    pen.setLineDash([4 / this.zoom, 4 / this.zoom]);
    pen.beginPath();
    for (const [x, y] of [this.line[0], this.line[this.line.length - 1]]) pen.lineTo(x, y);
    pen.stroke();
    pen.setLineDash([]);
  }

  drawBrush(pen) {
    const { tool, radius } = this.desk.options;
    if (!this.hover || this.dragging || this.space || !["brush", "erase"].includes(tool)) return;
    for (const [style, width] of [
      ["rgba(0,0,0,.7)", 3],
      ["#fff", 1.2],
    ]) {
      pen.strokeStyle = style;
      pen.lineWidth = width / this.zoom;
      pen.beginPath();
      pen.arc(...this.hover, Math.max(0.71, radius), 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  drawClasses(pen) {
    const { desk } = this;
    if (!desk.classes.size) return;
    desk.middles ??= findMiddles(desk.plane);
    pen.font = `bold ${13 / this.zoom}px sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 3 / this.zoom;
    pen.lineJoin = "round";
    for (const [label, index] of desk.classes) {
      const middle = desk.middles.get(label);
      if (!middle) continue;
      pen.strokeStyle = "#000";
      pen.strokeText(String(index), middle[0] + 0.5, middle[1] + 0.5);
      pen.fillStyle = `rgb(${desk.about.colors[(index - 1) % desk.about.colors.length].join(",")})`;
      pen.fillText(String(index), middle[0] + 0.5, middle[1] + 0.5);
    }
  }

  // Update texts and buttons; tests read the same state from `data-…`.
  writeStatus() {
    const { desk, root } = this;
    const { tool, hidden } = desk.options;
    const { state, about } = desk;
    for (const [name, one] of Object.entries(this.tools))
      one.setAttribute("aria-pressed", String(name === tool));
    if (desk.scribbling) {
      this.fresh.setAttribute("aria-pressed", String(desk.current > 0));
      this.ground.setAttribute("aria-pressed", String(desk.current === 0));
    }
    const [red, green, blue] = desk.colorOf(desk.current);
    this.chosen.textContent = `nucleus ${desk.current}`;
    this.chosen.style.borderColor = `rgb(${red},${green},${blue})`;
    this.sliders.radius.input.value = desk.options.radius;
    const unsaved = state.unsaved || desk.pending.length > 0;
    this.saver.textContent = unsaved ? "Save ●" : "Save";
    this.undo.disabled = !state.undo && !desk.pending.length;
    this.redo.disabled = !state.redo;
    if (this.planes && desk.wanted === undefined) this.planes.input.value = desk.z;
    const label = desk.labelAt(this.placeOf(this.hover));
    const named = about.names[(desk.classes.get(label) || 0) - 1];
    const parts = [
      desk.scribbling
        ? "yellow: nucleus, blue: background"
        : `${state.count} ${state.count === 1 ? "nucleus" : "nuclei"}`,
      about.planes > 1 ? `plane ${desk.z + 1} of ${about.planes}` : "",
      label > 0 && !desk.scribbling
        ? `under the pointer: nucleus ${label}${named ? `, ${named}` : ""}`
        : "",
      hidden ? "labels are hidden (V)" : "",
      unsaved ? `unsaved; goes to ${about.folder}` : "",
    ];
    this.status.textContent = parts.filter(Boolean).join(" · ");
    this.writeMessage();
    const moving = this.space || tool === "move";
    this.canvas.style.cursor = moving
      ? "grab"
      : tool === "brush" || tool === "erase"
        ? "none"
        : "crosshair";
    this.canvas.setAttribute(
      "aria-label",
      `${about.name || "image"} with ${state.count} labelled nuclei`,
    );
    const seen = {
      count: state.count,
      z: desk.z,
      current: desk.current,
      unsaved,
      waiting: desk.pending.length,
      shown: Boolean(desk.picture),
    };
    Object.assign(root.dataset, seen, { zoom: this.zoom, left: this.left, top: this.top });
  }

  writeMessage() {
    const { pending, told } = this.desk;
    const waits = pending.length && Date.now() - pending[0].since > WAIT_MS;
    const words =
      `${pending.length} actions wait for the kernel: it is busy, or has stopped. ` +
      "They are done as soon as it answers.";
    this.message.textContent = waits ? words : told ? told.words : "";
    this.message.classList.toggle("nb-painter-wrong", Boolean(waits || (told && told.error)));
  }
}

// ---- small parts of the page

function element(kind, css, words = "") {
  const made = document.createElement(kind);
  if (css) made.className = css;
  made.textContent = words;
  return made;
}

function button(words, hint, act, css) {
  const made = element("button", `nb-painter-button ${css}`, words);
  Object.assign(made, { type: "button", title: hint });
  made.addEventListener("click", act);
  return made;
}

function slider(words, [min, max, step], value, act) {
  const whole = element("label", "nb-painter-slider", words);
  const input = Object.assign(element("input"), { type: "range", min, max, step, value });
  input.addEventListener("input", () => act(Number(input.value)));
  whole.append(input);
  return { whole, input };
}

function checkbox(words, hint, on, act) {
  const whole = element("label", "nb-painter-check");
  const input = Object.assign(element("input"), { type: "checkbox", checked: on });
  input.addEventListener("change", () => act(input.checked));
  whole.title = hint;
  whole.append(input, words);
  return whole;
}

function row(...parts) {
  const made = element("div", "nb-painter-row");
  made.append(...parts);
  return made;
}

function group(...parts) {
  const made = element("span", "nb-painter-group");
  made.append(...parts);
  return made;
}

function buildHelp(volume, about) {
  const { mark, names } = about;
  const help = element("details", "nb-painter-help");
  const list = element("dl");
  const tools = listTools(about).map((name) => [
    TOOLS[name].key.toUpperCase(),
    TOOLS[name].name.toLowerCase(),
  ]);
  const gaps = volume && mark === "nuclei" ? GAP_KEYS : [];
  const keys = [
    ...MARK_KEYS[mark],
    ...KEYS,
    ...(volume ? VOLUME_KEYS : []),
    ...gaps,
    ...(names.length ? CLASS_KEYS : []),
  ];
  for (const [key, words] of [
    [tools.map((one) => one[0]).join(" "), tools.map((one) => one[1]).join(", ")],
    ...keys,
  ]) {
    list.append(element("dt", "", key), element("dd", "", words));
  }
  help.append(element("summary", "", "Keys (click into the picture first)"), list);
  return help;
}

export default () => {
  let desk;
  return {
    initialize({ model }) {
      desk = new Desk(model);
    },
    render({ model, el }) {
      desk ??= new Desk(model);
      const view = new View(desk, el);
      return () => view.close();
    },
  };
};
