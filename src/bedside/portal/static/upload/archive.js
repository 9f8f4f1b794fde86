// Many files as one ZIP that is never whole anywhere: its layout is known from names and sizes alone, and its
// bytes are made part by part while files are read. Stored, not packed: the same files give the same bytes, so
// that a part that was sent before a reload is the same part after it. See PKWARE's APPNOTE 4.3 and 4.4.

import { crc32 } from "./crc32.js";

const MOST = 0xffffffff;
const MANY = 0xffff;
const FLAGS = 0x0808; // names are UTF-8; CRC and sizes come after the data
const DATE = 0x0021; // 1980-01-01: the time of a file is in the fingerprint, and says nothing here
const utf8 = new TextEncoder();

/** A place in a file was changed since it was picked, or cannot be read any more. */
export class Changed extends Error {}

/** One file as it is. */
export class Plain {
  constructor(file) {
    this.size = file.size;
    this.pieces = [{ file, size: file.size }];
  }
}

/** Files as the pieces of a ZIP: bytes that are made when they are needed, and files to read. */
export class Archive {
  /** @param files [{path, file}], without two of the same path. */
  constructor(files) {
    this.entries = [];
    this.pieces = [];
    let at = 0;
    for (const { path, file } of files) {
      const entry = { name: utf8.encode(path), size: file.size, at, crc: 0, large: file.size >= MOST };
      this.entries.push(entry);
      const pieces = [
        { make: () => localHeader(entry), size: 30 + entry.name.length + (entry.large ? 20 : 0) },
        { file, size: file.size, entry },
        { make: () => descriptor(entry), size: entry.large ? 24 : 16 },
      ];
      for (const piece of pieces) at += piece.size;
      this.pieces.push(...pieces);
    }
    const table = at;
    for (const entry of this.entries) {
      entry.far = entry.at >= MOST;
      const size = 46 + entry.name.length + extraSize(entry);
      this.pieces.push({ make: () => tableEntry(entry), size });
      at += size;
    }
    const end = { count: this.entries.length, table, tableSize: at - table, at };
    end.large = end.count >= MANY || end.table >= MOST || end.tableSize >= MOST;
    this.pieces.push({ make: () => ending(end), size: 22 + (end.large ? 76 : 0) });
    this.size = at + 22 + (end.large ? 76 : 0);
  }
}

/** Gives an archive's bytes in parts, in order. */
export class Parts {
  constructor(archive, partBytes) {
    this.archive = archive;
    this.partBytes = partBytes;
    this.rewind();
  }

  /** Begin again at the first part. */
  rewind() {
    this.number = 0;
    this.piece = 0;
    this.within = 0;
    this.made = null;
  }

  /** The next part as {number, bytes}, or null after the last. */
  async next() {
    const left = this.archive.size - this.number * this.partBytes;
    if (left <= 0) return null;
    const bytes = new Uint8Array(Math.min(this.partBytes, left));
    let at = 0;
    while (at < bytes.length) {
      const piece = this.archive.pieces[this.piece];
      const take = Math.min(bytes.length - at, piece.size - this.within);
      if (take) bytes.set(await this.#read(piece, take), at);
      at += take;
      this.within += take;
      if (this.within === piece.size) {
        this.piece += 1;
        this.within = 0;
        this.made = null;
      }
    }
    this.number += 1;
    return { number: this.number, bytes };
  }

  async #read(piece, take) {
    if (piece.make) {
      this.made ??= piece.make();
      return this.made.subarray(this.within, this.within + take);
    }
    let found;
    try {
      found = new Uint8Array(await piece.file.slice(this.within, this.within + take).arrayBuffer());
    } catch (error) {
      throw new Changed(error.message);
    }
    if (found.length !== take) throw new Changed("shorter than it was");
    if (piece.entry) piece.entry.crc = crc32(found, this.within ? piece.entry.crc : 0);
    return found;
  }
}

function record(size, fill) {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  fill({
    u16: (...values) => { for (const value of values) { view.setUint16(at, value, true); at += 2; } },
    u32: (...values) => { for (const value of values) { view.setUint32(at, Math.min(value, MOST), true); at += 4; } },
    u64: (...values) => { for (const value of values) { view.setBigUint64(at, BigInt(value), true); at += 8; } },
    raw: (value) => { bytes.set(value, at); at += value.length; },
  });
  return bytes;
}

const version = (large) => (large ? 45 : 20);

function localHeader({ name, large }) {
  return record(30 + name.length + (large ? 20 : 0), ({ u16, u32, u64, raw }) => {
    u32(0x04034b50);
    u16(version(large), FLAGS, 0, 0, DATE);
    u32(0, large ? MOST : 0, large ? MOST : 0);
    u16(name.length, large ? 20 : 0);
    raw(name);
    if (large) {
      u16(1, 16);
      u64(0, 0);
    }
  });
}

function descriptor({ crc, size, large }) {
  return record(large ? 24 : 16, ({ u32, u64 }) => {
    u32(0x08074b50, crc);
    if (large) u64(size, size);
    else u32(size, size);
  });
}

function extraSize({ large, far }) {
  return large || far ? 4 + (large ? 16 : 0) + (far ? 8 : 0) : 0;
}

function tableEntry(entry) {
  const { name, size, at, crc, large, far } = entry;
  const extra = extraSize(entry);
  return record(46 + name.length + extra, ({ u16, u32, u64, raw }) => {
    u32(0x02014b50);
    u16(version(large || far), version(large || far), FLAGS, 0, 0, DATE);
    u32(crc, size, size);
    u16(name.length, extra, 0, 0, 0);
    u32(0, at);
    raw(name);
    if (extra) u16(1, extra - 4);
    if (large) u64(size, size);
    if (far) u64(at);
  });
}

function ending({ count, table, tableSize, at, large }) {
  return record(22 + (large ? 76 : 0), ({ u16, u32, u64 }) => {
    if (large) {
      u32(0x06064b50);
      u64(44);
      u16(45, 45);
      u32(0, 0);
      u64(count, count, tableSize, table);
      u32(0x07064b50, 0);
      u64(at);
      u32(1);
    }
    u32(0x06054b50);
    u16(0, 0, Math.min(count, MANY), Math.min(count, MANY));
    u32(tableSize, table);
    u16(0);
  });
}
