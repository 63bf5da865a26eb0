// Precompiled: what the asio header has, and the command line's parser.
#pragma once
#include "pch_asio.hpp"

#include <CLI/CLI.hpp>
