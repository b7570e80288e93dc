/** Remembers results by a key. The oldest are forgotten. Pure. */

export function memo(size) {
  const results = new Map();
  return (key, make) => {
    const result = results.get(key) ?? make();
    results.delete(key);
    results.set(key, result);
    if (results.size > size) results.delete(results.keys().next().value);
    return result;
  };
}
