// Precompiled: what the commands use, their parser above all.
#pragma once
#include <CLI/CLI.hpp>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
