"""Images in prompts: chosen, pasted, dropped; sent in every format; refused with a reason."""

import base64
import io
import os

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.test_page_access import in_both_looks, overflow, violations


def png(width: int = 20, height: int = 10) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def file(name: str, type: str, data: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": type, "buffer": data}


def attach(demo, *files: dict[str, object]) -> None:
    demo.page.get_by_test_id("images").set_input_files(list(files))


def thumbnails(demo):
    return demo.page.get_by_test_id("thumbnails").locator("button")


FAST = "default@tps=0"
URL = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
TEXT = "What is this?"
CHAT = [{"type": "text", "text": TEXT}, {"type": "image_url", "image_url": {"url": URL}}]
RESPONSES = [
    {"type": "input_text", "text": TEXT},
    {"type": "input_image", "detail": "auto", "image_url": URL},
]
SOURCE = {"type": "base64", "media_type": "image/png", "data": URL.partition(",")[2]}
MESSAGES = [{"type": "text", "text": TEXT}, {"type": "image", "source": SOURCE}]


@pytest.mark.parametrize(
    ("format", "path", "messages", "content"),
    [
        ("events", "v1/chat/completions", "messages", CHAT),
        ("responses", "v1/responses", "input", RESPONSES),
        ("messages", "v1/messages", "messages", MESSAGES),
    ],
)
def test_an_image_is_sent_in_every_api(demo, format, path, messages, content):
    demo.choose(model=FAST, format=format)
    attach(demo, file("cat.png", "image/png", png()))
    expect(thumbnails(demo)).to_have_count(1)
    with demo.page.expect_request(f"**/{path}") as request:
        demo.ask_and_wait(TEXT)
    assert request.value.post_data_json[messages] == [{"role": "user", "content": content}]
    expect(thumbnails(demo)).to_have_count(0)
    expect(demo.of_turn("asked-images").get_by_role("img")).to_have_attribute("src", URL)
    demo.page.reload()
    expect(demo.of_turn("asked-images").get_by_role("img")).to_be_visible()
    with demo.page.expect_request(f"**/{path}") as request:
        demo.ask_and_wait("hi")
    assert request.value.post_data_json[messages][0]["content"] == content


def test_an_image_alone_is_a_prompt_and_stays_when_it_is_edited(demo):
    demo.choose(model=FAST)
    attach(demo, file("cat.png", "image/png", png()))
    expect(thumbnails(demo)).to_have_count(1)
    demo.send.click()
    expect(demo.status).to_contain_text("Done in")
    expect(demo.of_turn("asked")).to_be_hidden()
    demo.turns.first.hover()
    demo.of_turn("edit").click()
    demo.page.get_by_test_id("edit-prompt").fill(TEXT)
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.page.get_by_test_id("edit-send").click()
    assert request.value.post_data_json["messages"][0]["content"] == CHAT


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_an_image_can_be_pasted_and_dropped(demo, way):
    demo.prompt.evaluate(
        """async (prompt, [way, url]) => {
            const data = new DataTransfer();
            const bytes = Uint8Array.from(atob(url.split(",")[1]), (c) => c.charCodeAt(0));
            data.items.add(new File([bytes], "cat.png", { type: "image/png" }));
            const event = way === "paste"
                ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            prompt.dispatchEvent(event);
        }""",
        [way, URL],
    )
    expect(thumbnails(demo)).to_have_count(1)


def test_an_attached_image_can_be_removed(demo):
    attach(demo, *(file(f"{n}.png", "image/png", png(20 + n)) for n in range(2)))
    expect(thumbnails(demo)).to_have_count(2)
    demo.page.get_by_role("button", name="Remove image 1").click()
    expect(thumbnails(demo)).to_have_count(1)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            [file("notes.pdf", "application/pdf", b"%PDF")],
            "notes.pdf cannot be attached: only PNG, JPEG, WebP and GIF images can.",
        ),
        ([file("x.png", "image/png", b"no image")], "x.png cannot be read as an image."),
        ([file("cat.png", "image/png", png())] * 9, "Attach at most 8 images."),
    ],
)
def test_what_cannot_be_attached_is_said(demo, files, message):
    attach(demo, *files)
    expect(demo.input_error).to_have_text(message)
    expect(thumbnails(demo)).to_have_count(len(files) - 1)


def test_a_file_that_is_too_large_is_refused(demo, tmp_path):
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(20_100_000)
    demo.page.get_by_test_id("images").set_input_files(huge)
    expect(demo.input_error).to_have_text(
        "huge.png is too large (20.1 MB): attach images of up to 20.0 MB."
    )
    expect(thumbnails(demo)).to_have_count(0)


def test_a_large_image_is_scaled_down(demo):
    attach(demo, file("wide.png", "image/png", png(4000, 1000)))
    expect(thumbnails(demo)).to_have_count(1)
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask(TEXT, model=FAST)
    url = request.value.post_data_json["messages"][0]["content"][1]["image_url"]["url"]
    kind, data = url.split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (1536, 384)


def test_images_that_do_not_fit_into_the_storage_are_left_out(demo):
    noise = io.BytesIO()
    Image.frombytes("RGB", (200, 200), os.urandom(120_000)).save(noise, "PNG")
    demo.choose(model=FAST)
    attach(demo, file("noise.png", "image/png", noise.getvalue()))
    expect(thumbnails(demo)).to_have_count(1)
    demo.page.evaluate(
        """() => {
            for (const storage of [localStorage, sessionStorage]) {
                let text = "x".repeat(1 << 20);
                for (let n = 0; ; n += 1) {
                    try { storage.setItem(`ballast-${n}`, text); } catch {
                        if (text.length < 8) break;
                        text = text.slice(0, text.length / 2);
                    }
                }
                // Room for the turn without its image.
                for (let n = 0, free = 0; free < 8000; n += 1) {
                    const key = storage.key(storage.length - 1);
                    free += storage.getItem(key)?.length ?? 0;
                    storage.removeItem(key);
                    if (n > 60) break;
                }
            }
        }"""
    )
    demo.ask_and_wait("hi")
    demo.page.reload()
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")
    expect(demo.of_turn("asked-images")).to_be_hidden()


@in_both_looks
def test_axe_finds_no_violations(demo, scheme, width):
    page = demo.page
    demo.show_in(scheme, width)
    attach(demo, *[file("cat.png", "image/png", png(400, 300))] * 2)
    expect(thumbnails(demo)).to_have_count(2)
    assert violations(page) == []
    demo.ask_and_wait(TEXT, model=FAST)
    assert violations(page) == []
    assert overflow(page) == 0
