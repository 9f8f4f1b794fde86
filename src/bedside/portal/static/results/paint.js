// From values and labels of a plane to pixels.

/** A grey for every stored value, by window; stored values are int16. */
export function greys(window, slope, intercept) {
  const table = new Uint8ClampedArray(65536);
  const least = window.centre - window.width / 2;
  const scale = 255 / Math.max(window.width, 1e-9);
  for (let n = 0; n < 65536; n += 1) table[n] = ((n - 32768) * slope + intercept - least) * scale;
  return table;
}

/** Colours of each map's values, for the inside and the edge; 0 is not drawn. */
export function palettes(labels, maps, visible, opacity, outline) {
  const made = Array.from({ length: maps }, () => ({ inside: new Uint32Array(256), edge: new Uint32Array(256) }));
  for (const [number, label] of labels.entries()) {
    if (!visible.has(number)) continue;
    const [r, g, b] = label.colour;
    const alpha = Math.round(opacity * 255);
    made[label.map].inside[label.value] = word(r, g, b, alpha);
    // At its brightest: pale colours of organs would drown in grey tissue.
    const most = Math.max(r, g, b, 1);
    const bright = [r, g, b].map((part) => Math.round((part * 255) / most));
    made[label.map].edge[label.value] = outline ? word(...bright, 255) : word(r, g, b, alpha);
  }
  return made;
}

const LINE = [255, 255, 255], BLACK = 0xff000000;

/** Lines around what another version shows of these labels (by name), and nothing inside. */
export function lines(labels, maps, names) {
  const visible = new Set(labels.flatMap((label, number) => (names(label.name) ? [number] : [])));
  return palettes(labels.map((label) => ({ ...label, colour: LINE })), maps, visible, 0, true);
}

const word = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Greys of a plane, as a canvas of its size. */
export function picture(plane, table, canvas) {
  const { values, width, height } = plane;
  const pixels = new Uint32Array(width * height);
  for (let n = 0; n < pixels.length; n += 1) {
    const grey = table[values[n] + 32768];
    pixels[n] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return put(canvas, pixels, width, height);
}

/** The labels of a plane, as a canvas of its size; the later map lies on top. Dashes are seen on any ground. */
export function overlay(plane, colours, canvas, { dashed = false } = {}) {
  const { labels, width, height } = plane;
  const pixels = new Uint32Array(width * height);
  labels.forEach((map, n) => {
    const { inside, edge } = colours[n];
    for (let row = 0, at = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1, at += 1) {
        const value = map[at];
        if (value === 0 || inside[value] + edge[value] === 0) continue;
        const inner =
          column > 0 && column < width - 1 && row > 0 && row < height - 1 &&
          map[at - 1] === value && map[at + 1] === value && map[at - width] === value && map[at + width] === value;
        pixels[at] = inner ? inside[value] : dashed && ((row + column) >> 1) & 1 ? BLACK : edge[value];
      }
    }
  });
  return put(canvas, pixels, width, height);
}

/**
 * Lays a plane's picture where it belongs in a frame (pixels per millimetre, and where the volume begins).
 * A voxel of a thinned level is drawn around its own centre, so that nothing moves when the rest arrives.
 */
export function lay(context, canvas, plane, { scale, left, top }, { spacing_mm, shape }) {
  const [byDown, byAcross] = plane.stride;
  const [mmDown, mmAcross] = [spacing_mm[plane.down], spacing_mm[plane.across]];
  const begin = plane.head ? shape[0] - 1 - (plane.height - 1) * byDown : 0;
  context.drawImage(
    canvas,
    left + (0.5 - byAcross / 2) * mmAcross * scale,
    top + (begin + 0.5 - byDown / 2) * mmDown * scale,
    plane.width * byAcross * mmAcross * scale,
    plane.height * byDown * mmDown * scale,
  );
}

function put(canvas, pixels, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  return canvas;
}
