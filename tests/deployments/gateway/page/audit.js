// What is wrong with the page as it stands: texts whose contrast with their ground is below WCAG's AA (4.5 : 1, 3 : 1 for
// large ones), things one can use that have no name, images without a text, and ids that stand twice.
() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const style = getComputedStyle(element);
    if (!node.data.trim() || element.closest("svg, noscript, option") || !isShown(element) || style.fontSize === "0px") continue;
    const [a, b] = [light(channels(style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${node.data.trim().slice(0, 40)}`);
  }
  for (const element of document.querySelectorAll("button, input, select, a, [role=region], progress")) {
    const name = element.getAttribute("aria-label") || [...(element.labels || [])].map((label) => label.textContent).join("") || element.textContent;
    if (isShown(element) && !name.trim()) found.push(`no name: ${element.outerHTML.slice(0, 80)}`);
  }
  for (const image of document.images) if (!image.hasAttribute("alt")) found.push(`no text: ${image.src}`);
  const ids = [...document.querySelectorAll("[id]")].filter((element) => !element.closest("svg")).map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) found.push(`twice: ${id}`);
  return found;
}
