"""What must hold of any page in a browser: each check returns the faults that it found."""

from __future__ import annotations

import base64
import re

from tests.browser.chromium import Tab

_OVERFLOWING = """(() => {
  const told = each => each.tagName.toLowerCase() + ' ' + each.textContent.slice(0, 40);
  const wide = document.documentElement.scrollWidth > innerWidth
    ? ['the page is ' + document.documentElement.scrollWidth + ' wide'] : [];
  const beyond = [...document.querySelectorAll('main *')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && (box.right > innerWidth + 1 || box.left < -1)
      && !each.closest('.axis, thead');
  });
  const cut = [...document.querySelectorAll('td, th, dd, dt, p, code')].filter(
    each => each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1
      && !each.closest('thead'));
  return [...wide, ...[...beyond, ...cut].map(told)];
})()"""

_PALE = """(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = each => {
    for (; each; each = each.parentElement) {
      const found = parts(getComputedStyle(each).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('main *')].filter(each =>
    [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    && !each.closest('svg')
  ).map(each => {
    const [front, back] = [light(parts(getComputedStyle(each).color)), light(behind(each))];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    return ratio < 4.5 ? ratio.toFixed(2) + ': ' + each.textContent.slice(0, 40) : null;
  }).filter(Boolean);
})()"""

_FOREIGN = """[...document.querySelectorAll(
  'script, img, iframe, object, embed, link, a, form, input, video, audio, base, [style], [onload],'
  + '[onerror], [onclick]')].map(each => each.outerHTML.slice(0, 80))"""


def noises(tab: Tab, url: str) -> list[str]:
    """Whatever the browser told of the page but that it has loaded it: errors, other requests."""
    faults = []
    for method, told in tab.events:
        if method == "Network.requestWillBeSent" and told["request"]["url"] != url:
            faults.append(f"it asks for {told['request']['url'][:200]}")
        elif method == "Log.entryAdded":
            faults.append(f"log: {told['entry']['text']}")
        elif method == "Runtime.consoleAPICalled":
            faults.append(f"console: {told['args']}")
        elif method in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
            faults.append(f"{method}: {told}")
    return faults


def foreign(tab: Tab) -> list[str]:
    """Elements and attributes that no page of ours has; scripts that ran."""
    faults = [f"a foreign element: {each}" for each in tab.evaluate(_FOREIGN)]
    if tab.evaluate("'hacked' in window || document.title.includes('hacked')"):
        faults.append("text from outside was executed")
    return faults


def overflow(tab: Tab, width: int) -> list[str]:
    """What is wider than a window of ``width``, every part of the page unfolded."""
    tab.resize(width)
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    return [f"at {width} px: {each}" for each in tab.evaluate(_OVERFLOWING)]


def pale(tab: Tab, scheme: str) -> list[str]:
    """Text whose contrast is below 4.5 : 1."""
    tab.prefer(scheme)
    return [f"{scheme}: contrast {each}" for each in tab.evaluate(_PALE)]


def printed_pages(tab: Tab) -> int:
    """How many pages of paper it takes."""
    answer = tab.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
    return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(answer["data"])))


def picture(tab: Tab) -> bytes:
    """The whole page as a PNG."""
    answer = tab.call("Page.captureScreenshot", captureBeyondViewport=True)
    return base64.b64decode(answer["data"])
