/** The conversations of this browser, in its local storage: an index, and one entry for each. */

const INDEX = "chats";
const entryKey = (id) => `chat:${id}`;
const MAX_CHATS = 200;

const read = (key) => {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // the browser forbids storage, or the entry is not ours
  }
};

/** The conversations, the newest first: `{id, title, at, renamed}`. */
export const listChats = () => read(INDEX) ?? [];

/** The saved turns of a conversation; none if there is no such conversation. */
export const loadChat = (id) => read(entryKey(id)) ?? [];

const writeIndex = (chats) => localStorage.setItem(INDEX, JSON.stringify(chats));

/** Saves a conversation and makes it the newest, if it has changed.
 *
 * `texts`: JSON of its turns, the best first; a later one is shorter. If none fits, the oldest other
 * conversations go.
 */
export function saveChat(id, title, texts) {
  try {
    if (texts.includes(localStorage.getItem(entryKey(id)))) return;
    const chats = listChats();
    const old = chats.find((chat) => chat.id === id);
    const others = chats.filter((chat) => chat !== old);
    const entry = { id, at: Date.now(), title: old?.renamed ? old.title : title };
    if (old?.renamed) entry.renamed = true;
    while (others.length >= MAX_CHATS) localStorage.removeItem(entryKey(others.pop().id));
    while (!texts.some((text) => fits(entryKey(id), text))) {
      if (!others.length) return;
      localStorage.removeItem(entryKey(others.pop().id));
    }
    writeIndex([entry, ...others]);
  } catch {
    // The browser forbids storage: the conversation lasts as long as its tab.
  }
}

function fits(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

export function renameChat(id, title) {
  writeIndex(listChats().map((chat) => (chat.id === id ? { ...chat, title, renamed: true } : chat)));
}

/** Removes conversations. Returns a function that brings them back. */
export function deleteChats(ids) {
  const removed = listChats().filter(({ id }) => ids.includes(id));
  const texts = ids.map((id) => localStorage.getItem(entryKey(id)));
  writeIndex(listChats().filter(({ id }) => !ids.includes(id)));
  for (const id of ids) localStorage.removeItem(entryKey(id));
  return () => {
    ids.forEach((id, i) => localStorage.setItem(entryKey(id), texts[i]));
    writeIndex([...removed, ...listChats()].sort((a, b) => b.at - a.at));
  };
}
