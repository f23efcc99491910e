// What the server that made this page tells; nobody else is asked.

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${(await answer.text()).trim()}`);
  return answer;
}

const json = async (name) => (await fetched(name)).json();
const floats = async (name) => new Float32Array(await (await fetched(name)).arrayBuffer());

export async function openSlide() {
  const [slide, xy] = await Promise.all([json("slide.json"), floats("places.f32")]);
  return { ...slide, xy };
}

export async function openLayer(number) {
  const [said, values] = await Promise.all([json(`layers/${number}.json`), floats(`layers/${number}.f32`)]);
  return { ...said, values };
}

// Whether the slide is the one that was predicted, byte for byte.
export const belongs = () => json("belongs.json");
