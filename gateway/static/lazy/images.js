/** Images for the next prompt: chosen, pasted or dropped. They become data URLs. */

const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MAX_IMAGES = 8;
const MAX_FILE_BYTES = 20_000_000;
/** A larger image is scaled down. Models do so anyway, and the browser's storage is small. */
const MAX_SIDE_PX = 1536;
const MAX_KEPT_BYTES = 1_000_000;
const JPEG_QUALITY = 0.85;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export class Images {
  urls = [];
  #strip;
  #onError;

  /** `strip`: shows the images; `onError(message)`: told why a file is not attached. */
  constructor(strip, onError) {
    this.#strip = strip;
    this.#onError = onError;
  }

  async add(files) {
    this.#onError("");
    for (const file of files) {
      const refusal = this.#refusalOf(file);
      if (refusal) {
        this.#onError(refusal);
        continue;
      }
      try {
        this.urls.push(await dataUrl(file));
      } catch {
        this.#onError(`${file.name} cannot be read as an image.`);
      }
    }
    this.#draw();
  }

  clear() {
    this.urls = [];
    this.#draw();
  }

  #refusalOf({ name, type, size }) {
    if (!TYPES.includes(type)) {
      return `${name} cannot be attached: only PNG, JPEG, WebP and GIF images can.`;
    }
    if (size > MAX_FILE_BYTES) {
      return `${name} is too large (${megabytes(size)}): attach images of up to ${megabytes(MAX_FILE_BYTES)}.`;
    }
    return this.urls.length >= MAX_IMAGES ? `Attach at most ${MAX_IMAGES} images.` : "";
  }

  #draw() {
    this.#strip.hidden = !this.urls.length;
    this.#strip.replaceChildren(...this.urls.map((url, i) => this.#thumbnail(url, i)));
  }

  #thumbnail(url, i) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "thumbnail";
    button.setAttribute("aria-label", `Remove image ${i + 1}`);
    button.title = "Remove";
    const image = new Image();
    image.src = url;
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => {
      this.urls.splice(i, 1);
      this.#draw();
    });
    return button;
  }
}

/** The file as a data URL, scaled down if it is large. */
async function dataUrl(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && file.size <= MAX_KEPT_BYTES) return read(file);
  const [width, height] = [bitmap.width, bitmap.height].map((px) => Math.round(px * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // a JPEG has no transparency
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return read(await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY }));
}

const read = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = reject;
    reader.readAsDataURL(blob);
  });
