// A surface of ours, a binary STL in LPS millimetres, as points in RAS and triangles of their numbers.

const HEAD = 84, FACE = 50;

/** Returns { points: Float32Array (x, y, z in RAS mm, …), triangles: Uint32Array } of a binary STL in LPS. */
export function surface(buffer) {
  const view = new DataView(buffer);
  const count = view.getUint32(80, true);
  if (buffer.byteLength !== HEAD + count * FACE) throw new Error("not a binary STL");
  const triangles = new Uint32Array(count * 3);
  const points = [];
  const known = new Map(); // corners that triangles share are one point, or light would show every facet
  for (let face = 0; face < count; face += 1) {
    for (let corner = 0; corner < 3; corner += 1) {
      const at = HEAD + face * FACE + 12 + corner * 12;
      const key = `${view.getInt32(at, true)},${view.getInt32(at + 4, true)},${view.getInt32(at + 8, true)}`;
      let number = known.get(key);
      if (number === undefined) {
        number = points.length / 3;
        known.set(key, number);
        // LPS to RAS: left is -right, back is -front. Two axes turn, so outside stays outside.
        points.push(-view.getFloat32(at, true), -view.getFloat32(at + 4, true), view.getFloat32(at + 8, true));
      }
      triangles[face * 3 + corner] = number;
    }
  }
  return { points: new Float32Array(points), triangles };
}
