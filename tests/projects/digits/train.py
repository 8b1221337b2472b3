"""Learn to read handwritten digits: a small neural network, with nothing but Python itself.

Each image is 8x8 grey values from 0 to 16; see data/README.md for where they come from.  One line
per epoch goes to stdout, progress to stderr; model.json and history.csv are the results.
"""

import argparse
import csv
import gzip
import json
import math
import random
import sys
import time
from operator import mul
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = 10


def parse_args():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--epochs", type=int, default=12, help="times through the training images")
    p.add_argument("--hidden", type=int, default=24, help="neurons between image and digit")
    p.add_argument("--lr", type=float, default=0.05, help="how far each image moves the weights")
    p.add_argument("--seed", type=int, default=1, help="start of all that is random")
    p.add_argument("--out", type=Path, default=Path("."), help="folder for the results")
    return p.parse_args()


def load(path, rng):
    """Four fifths to learn from, one fifth to be tested with: (pixels between 0 and 1, digit)."""
    with gzip.open(path, "rt", newline="") as f:
        rows = [[float(cell) for cell in row] for row in csv.reader(f)]
    images = [([pixel / 16 for pixel in row[:-1]] + [1.0], int(row[-1])) for row in rows]
    rng.shuffle(images)
    cut = len(images) // 5
    return images[cut:], images[:cut]


class Network:
    """One hidden layer (tanh) and a softmax.  The last input of each layer is 1: its bias."""

    def __init__(self, inputs, hidden, rng):
        self.first = [[rng.gauss(0, inputs ** -0.5) for _ in range(inputs)] for _ in range(hidden)]
        self.second = [[rng.gauss(0, hidden ** -0.5) for _ in range(hidden + 1)]
                       for _ in range(CLASSES)]

    def run(self, image):
        hidden = [math.tanh(sum(map(mul, row, image))) for row in self.first] + [1.0]
        scores = [sum(map(mul, row, hidden)) for row in self.second]
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        total = sum(powers)
        return hidden, [power / total for power in powers]

    def learn(self, image, digit, rate):
        """One step down the slope of the loss; returns the loss before it."""
        hidden, chance = self.run(image)
        slope = list(chance)
        slope[digit] -= 1
        back = [sum(map(mul, slope, column)) for column in zip(*self.second)]
        for k, row in enumerate(self.second):
            step = rate * slope[k]
            self.second[k] = [w - step * h for w, h in zip(row, hidden)]
        for j, row in enumerate(self.first):
            step = rate * back[j] * (1 - hidden[j] ** 2)
            self.first[j] = [w - step * x for w, x in zip(row, image)]
        return -math.log(max(chance[digit], 1e-12))

    def accuracy(self, images):
        right = 0
        for image, digit in images:
            _, chance = self.run(image)
            right += chance.index(max(chance)) == digit
        return right / len(images)


def train(network, images, rate, epoch):
    """Once through the images; the mean loss."""
    loss = 0.0
    for n, (image, digit) in enumerate(images, 1):
        loss += network.learn(image, digit, rate)
        if n % 100 == 0 or n == len(images):
            sys.stderr.write(f"\repoch {epoch}: {100 * n // len(images):3d} %")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return loss / len(images)


def main():
    args = parse_args()
    rng = random.Random(args.seed)
    learn, test = load(HERE / "data" / "digits.csv.gz", rng)
    print(f"{len(learn)} images to learn from, {len(test)} to be tested with", flush=True)

    network = Network(len(learn[0][0]), args.hidden, rng)
    began = time.monotonic()
    history = []
    for epoch in range(1, args.epochs + 1):
        rng.shuffle(learn)
        loss = train(network, learn, args.lr, epoch)
        accuracy = network.accuracy(test)
        history.append((epoch, loss, accuracy))
        print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.4f}", flush=True)

    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "history.csv", "w", newline="") as f:
        csv.writer(f).writerows([("epoch", "loss", "accuracy"), *history])
    with open(args.out / "model.json", "w") as f:
        json.dump({"first": network.first, "second": network.second}, f)
    final = history[-1][2] if history else network.accuracy(test)
    print(f"done in {time.monotonic() - began:.1f} s: {100 * final:.1f} % of the digits read right")


if __name__ == "__main__":
    main()
