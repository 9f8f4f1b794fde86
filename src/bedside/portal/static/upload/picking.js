// From what somebody dropped or chose to the uploads that it makes: each ZIP is one, all the rest together one.

const JUNK = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|\.localized|\._[^/]*|__MACOSX\/.*)$/i;

/** The files of a file input: [{path, file}]. */
export function fromInput(input) {
  return Array.from(input.files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** The files of a drop, folders walked through. What a drop holds must be asked before anything is awaited. */
export async function fromDrop(transfer) {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return Array.from(transfer.files, (file) => ({ path: file.name, file }));
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((take, fail) => entry.file(take, fail));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise((take, fail) => reader.readEntries(take, fail));
    if (!some.length) return;
    for (const one of some) await walk(one, found);
  }
}

/** {uploads: [{names, files, plain}], leftOut}: names are what to call it by. */
export function uploadsOf(picked) {
  const kept = picked.filter(({ path }) => !JUNK.test(path));
  kept.sort(byPath);
  const zips = kept.filter(({ path }) => /\.zip$/i.test(path));
  const others = apart(kept.filter(({ path }) => !/\.zip$/i.test(path)));
  const uploads = zips.map((one) => ({ names: [one.file.name], files: [one], plain: true }));
  if (others.length) {
    const names = [...new Set(others.map(({ path }) => path.split("/")[0]))];
    uploads.push({ names, files: others, plain: false });
  }
  return { uploads, leftOut: picked.length - kept.length };
}

function byPath(a, b) {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return a.file.size - b.file.size || a.file.lastModified - b.file.lastModified;
}

/** Files of the same name, from two folders, get folders of their own: an archive holds no name twice. */
function apart(files) {
  const seen = new Map();
  return files.map(({ path, file }) => {
    const times = (seen.get(path) ?? 0) + 1;
    seen.set(path, times);
    return { path: times > 1 ? `${times}/${path}` : path, file };
  });
}
