"""The verb `presets`."""


def test_built_in_presets(command):
    finished = command("presets")
    assert finished.code == 0
    assert finished.err == ""
    names = [line.split()[0] for line in finished.out.splitlines()]
    assert names == [
        "delf_tiny",
        "delf_resnet50_imagenet",
        "delf_resnet101_imagenet",
    ]
    assert finished.out.count("1024-d") == 2
