"""How smoothly a report's explorer moves: frames a second in headless Chromium, where all is drawn by the CPU.

Run `python benchmarks/report_frames.py [REPORT.html] [--unlimited]`; without a report, one of 5,000 spots and 1,000
genes is made. It is dragged and zoomed by a script for some seconds, drawing at each frame, and 15 genes are shown one
after another. Beside it, in the same browser and in turn, a bare page whose three canvases of the same size are
cleared and get one rectangle at each frame. A browser draws 60 frames a second at most; `--unlimited` takes that
away, which shows what is to spare.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROUNDS = 3
SIZE = {"width": 1280, "height": 900}
UNLIMITED = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]
RATE = """(does) => new Promise((done) => {
  const times = [];
  const step = (now) => {
    times.push(now);
    if (now - times[0] > 2500) return done((1000 * (times.length - 1)) / (now - times[0]));
    does(times.length);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
REPORT = f"""async () => {{
  const rate = {RATE};
  const stage = document.querySelector(".stage");
  stage.scrollIntoView({{ behavior: "instant", block: "center" }});
  await new Promise((done) => setTimeout(done, 600));
  const box = stage.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const common = {{ bubbles: true, cancelable: true, view: window }};
  const mouse = (type, target, dx = 0, dy = 0) =>
    target.dispatchEvent(new MouseEvent(type, {{ ...common, clientX: x + dx, clientY: y + dy }}));
  const wheel = (deltaY) =>
    stage.dispatchEvent(new WheelEvent("wheel", {{ ...common, clientX: x, clientY: y, deltaY }}));
  mouse("mousedown", stage);
  const pan = await rate((i) => mouse("mousemove", window, 60 * Math.sin(i / 9), 40 * Math.cos(i / 7)));
  mouse("mouseup", window);
  const zoom = await rate((i) => wheel(i % 60 < 30 ? -40 : 40));
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const changes = [];
  for (let i = 0; i < 15; i++) {{
    const start = performance.now();
    document.getElementById("gene-after").click();
    await drawn();
    changes.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 350));
  }}
  return {{ pan, zoom, change: changes.sort((a, b) => a - b)[7], canvas: [box.width, box.height] }};
}}"""
BARE = f"""async ([width, height]) => {{
  const contexts = [1, 2, 3].map(() => {{
    const canvas = Object.assign(document.createElement("canvas"), {{ width, height }});
    document.body.append(canvas);
    return canvas.getContext("2d");
  }});
  return ({RATE})((i) => contexts.forEach((context) => {{
    context.clearRect(0, 0, width, height);
    context.fillRect(100 + 60 * Math.sin(i / 9), 100, 50, 50);
  }}));
}}"""


def measure_report(browser: Browser, report: Path) -> dict[str, float]:
    """Return frames a second while dragging (pan) and zooming, and ms until another gene is drawn (change)."""
    page = browser.new_page(viewport=SIZE)
    page.goto(report.resolve().as_uri())
    page.wait_for_selector("#explorer[data-gene]")
    page.wait_for_timeout(1000)
    found = page.evaluate(REPORT)
    page.context.close()
    return found


def measure_bare(browser: Browser, canvas: list[float]) -> float:
    """Return frames a second of a page that does nearly nothing."""
    page = browser.new_page(viewport=SIZE)
    page.set_content("<!doctype html><title>bare</title>")
    rate = page.evaluate(BARE, canvas)
    page.context.close()
    return rate


def main() -> None:
    given = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    limits = UNLIMITED if "--unlimited" in sys.argv else []
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        report = given[0] if given else Path(folder, "report.html")
        if not given:
            sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
            from explorer_page import make_page

            report.write_text(make_page(((80, 63),), n_genes=1000), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", *limits])
        rounds = []
        for _ in range(ROUNDS):
            found = measure_report(browser, report)
            rounds.append({**found, "bare": measure_bare(browser, found.pop("canvas"))})
        browser.close()
        size = report.stat().st_size / 1e6
    found = {name: statistics.median(one[name] for one in rounds) for name in ("bare", "pan", "zoom", "change")}
    print(f"{size:.1f} MB; medians of {ROUNDS} rounds\n\n| | frames a second | beside the bare page |\n|---|---:|---:|")
    for name, said in (("bare", "bare page"), ("pan", "explorer, dragged"), ("zoom", "explorer, zoomed")):
        print(f"| {said} | {found[name]:.0f} | {found[name] / found['bare']:.2f} |")
    print(f"\nAnother gene is drawn after {found['change']:.0f} ms.")


if __name__ == "__main__":
    main()
