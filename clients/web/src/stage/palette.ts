/** The colours of the canvases, read from the page's custom properties once per change of theme. Shell. */

const NAMES = {
  ground: "--ground",
  lane: "--lane",
  line: "--line",
  barLine: "--bar-line",
  faint: "--faint",
  text: "--text",
  agent: "--agent",
  agentInk: "--agent-ink",
  agentFaint: "--agent-faint",
  player: "--player",
  playerInk: "--player-ink",
  commit: "--commit",
  now: "--now",
  white: "--key-white",
  whiteEdge: "--key-white-edge",
  black: "--key-black",
  blackTop: "--key-black-top",
  whiteInk: "--key-white-ink",
  blackInk: "--key-black-ink",
} as const;

export type Palette = Readonly<Record<keyof typeof NAMES, string>> & { readonly font: string };

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colours = Object.fromEntries(Object.entries(NAMES).map(([name, property]) => [name, style.getPropertyValue(property).trim()]));
  return { ...(colours as Record<keyof typeof NAMES, string>), font: style.getPropertyValue("--font").trim() };
}
