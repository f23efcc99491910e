// A bar of a round length in micrometres.

export function roundBelow(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return [5, 2, 1].find((step) => step * power <= length * (1 + 1e-9)) * power;
}

export function named(um) {
  return um >= 1000 ? `${um / 1000} mm` : um >= 1 ? `${um} µm` : `${Math.round(um * 1000)} nm`;
}

export function drawScaleBar(element, umPerPixel, most = 140) {
  const um = roundBelow(most * umPerPixel);
  const width = `${um / umPerPixel}px`;
  if (element.dataset.drawn === `${um} ${width}`) return;
  element.dataset.drawn = `${um} ${width}`;
  element.querySelector("span").textContent = named(um);
  element.querySelector("i").style.width = width;
}
