/**
 * The display matrix of a clockwise rotation, of a mirrored picture if so: nine 32-bit integers, 16.16 fixed point with a last column in 2.30, as MP4
 * stores it and FFmpeg passes it.
 */
export function displayMatrix(clockwiseDegrees: number, mirrored = false): Buffer {
  const angle = (clockwiseDegrees * Math.PI) / 180;
  const fixed = (value: number) => Math.round(value * 65_536);
  const [cos, sin] = [fixed(Math.cos(angle)), fixed(Math.sin(angle))];
  const sign = mirrored ? -1 : 1;
  return Buffer.from(new Int32Array([sign * cos, sign * sin, 0, -sin, cos, 0, 0, 0, 1 << 30]).buffer);
}
