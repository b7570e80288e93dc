/** Style sheets that the first paint does not need. */

/** Adds the sheet. Resolves when it is loaded, or cannot be. */
export function addSheet(url) {
  return new Promise((resolve) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = url;
    sheet.onload = sheet.onerror = resolve;
    document.head.append(sheet);
  });
}
