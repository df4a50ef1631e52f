// Pixels of a label plane: discs, polygons, regions, runs; independent of the page.
// A plane is {width, height, labels: Int32Array}, row by row; a run is a start and a length in it.

// Labels of a plane from the kernel's text: runs of length and label, deflated, in base64.
async function unpackPlane(text, size) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const runs = new Int32Array(await new Response(stream).arrayBuffer());
  const labels = new Int32Array(size);
  for (let i = 0, place = 0; i < runs.length; place += runs[i], i += 2)
    labels.fill(runs[i + 1], place, place + runs[i]);
  return labels;
}

// Visit the pixels of a disc around (x, y), cut at the border of the plane.
function visitDisc(plane, x, y, radius, visit) {
  for (
    let row = Math.max(0, Math.ceil(y - radius));
    row <= Math.min(plane.height - 1, Math.floor(y + radius));
    row++
  ) {
    const half = Math.sqrt(radius * radius - (row - y) ** 2);
    const last = Math.min(plane.width - 1, Math.floor(x + half));
    for (let column = Math.max(0, Math.ceil(x - half)); column <= last; column++)
      visit(row * plane.width + column);
  }
}

// Visit the pixels whose centre lies inside a polygon, a list of [x, y]; pixel centres lie at
// integers.
function visitPolygon(plane, points, visit) {
  const ys = points.map((point) => point[1]);
  const last = Math.min(plane.height - 1, Math.floor(Math.max(...ys)));
  for (let row = Math.max(0, Math.ceil(Math.min(...ys))); row <= last; row++) {
    const crossings = [];
    points.forEach(([x0, y0], i) => {
      const [x1, y1] = points[(i + 1) % points.length];
      if (y0 <= row !== y1 <= row) crossings.push(x0 + ((row - y0) / (y1 - y0)) * (x1 - x0));
    });
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const end = Math.min(plane.width - 1, Math.floor(crossings[i + 1]));
      for (let column = Math.max(0, Math.ceil(crossings[i])); column <= end; column++)
        visit(row * plane.width + column);
    }
  }
}

// Visit the outline of a box whose first and last pixels are given, cut at the border of the plane.
function visitFrame(plane, xs, ys, visit) {
  const [left, right] = xs.map((x) => Math.min(plane.width - 1, Math.max(0, x)));
  const [top, bottom] = ys.map((y) => Math.min(plane.height - 1, Math.max(0, y)));
  for (let column = left; column <= right; column++)
    [top, bottom].forEach((row) => visit(row * plane.width + column));
  for (let row = top; row <= bottom; row++)
    [left, right].forEach((column) => visit(row * plane.width + column));
}

// The connected pixels of one label around a place; `open`: whether they reach the border of the
// plane, `beside`: the labels that they touch.
function findRegion(plane, start) {
  const { width, height, labels } = plane;
  const seen = new Uint8Array(labels.length);
  const found = [start];
  const beside = new Set();
  let open = false;
  seen[start] = 1;
  for (let i = 0; i < found.length; i++) {
    const place = found[i];
    const column = place % width;
    const row = (place - column) / width;
    if (column === 0 || row === 0 || column === width - 1 || row === height - 1) open = true;
    for (const [inside, next] of [
      [column > 0, place - 1],
      [column < width - 1, place + 1],
      [row > 0, place - width],
      [row < height - 1, place + width],
    ]) {
      if (!inside || seen[next]) continue;
      if (labels[next] !== labels[start]) {
        beside.add(labels[next]);
        continue;
      }
      seen[next] = 1;
      found.push(next);
    }
  }
  return { places: found, open, beside };
}

// Sorted places as [start, length, start, length, …].
function gatherRuns(places) {
  const runs = [];
  for (const place of places) {
    const last = runs.length - 2;
    if (last >= 0 && runs[last] + runs[last + 1] === place) runs[last + 1]++;
    else runs.push(place, 1);
  }
  return runs;
}

// The middle of each label of a plane, as Map(label → [x, y]).
function findMiddles(plane) {
  const sums = new Map();
  plane.labels.forEach((label, place) => {
    if (label <= 0) return;
    const sum = sums.get(label) || [0, 0, 0];
    sum[0] += place % plane.width;
    sum[1] += Math.floor(place / plane.width);
    sum[2]++;
    sums.set(label, sum);
  });
  return new Map([...sums].map(([label, [x, y, count]]) => [label, [x / count, y / count]]));
}
