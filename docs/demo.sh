#!/bin/sh
# The main job, as a user would type it. $1: folder for everything that it makes.
set -eu
out=$1
mkdir -p "$out"
cd "$out"

echo "== export and verify"
evit-export b1 --weights auto
evit-export seg-b0-cityscapes --resolution 512x1024 --weights auto -q

echo "== benchmark: this machine (milliseconds), and an ARM CPU (instructions where it is emulated)"
evit-bench --device local --device arm-cpu --output results.json --chart benchmark.png

echo "== look"
evit-bench show artifacts/efficientvit_seg_b0_cityscapes-*.tflite --output segmentation.png

echo "== made in $(pwd):"
ls -1 artifacts results.json benchmark.png segmentation.png
