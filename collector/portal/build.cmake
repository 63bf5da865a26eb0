# Builds the portal's files with Vite. Sets portal_folder, where they come to stand, and portal_depends, what changes when they do.
find_program(NPM npm)
if(NOT NPM)
  message(FATAL_ERROR "npm is missing, which builds the portal: install Node.js 18 or newer with npm (deploy/setup/install build), or configure with -DRUNFOLD_PORTAL=OFF")
endif()
set(portal_source ${PROJECT_SOURCE_DIR}/collector/portal)
set(portal_folder ${PROJECT_BINARY_DIR}/portal)
set(portal_depends ${PROJECT_BINARY_DIR}/portal.stamp)
file(GLOB_RECURSE portal_sources CONFIGURE_DEPENDS ${portal_source}/src/* ${portal_source}/public/*)

# The packages: as package-lock.json has them.
add_custom_command(
  OUTPUT ${PROJECT_BINARY_DIR}/portal-packages.stamp
  COMMAND ${NPM} install --no-save --no-audit --no-fund --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/portal-packages.stamp
  DEPENDS ${portal_source}/package.json ${portal_source}/package-lock.json
  WORKING_DIRECTORY ${portal_source}
  COMMENT "Fetching the portal's packages"
  VERBATIM)
add_custom_command(
  OUTPUT ${portal_depends}
  COMMAND ${portal_source}/node_modules/.bin/tsc --noEmit
  COMMAND ${portal_source}/node_modules/.bin/vite build --outDir ${portal_folder} --emptyOutDir --logLevel warn
  COMMAND ${CMAKE_COMMAND} -E touch ${portal_depends}
  DEPENDS ${PROJECT_BINARY_DIR}/portal-packages.stamp ${portal_sources} ${portal_source}/index.html ${portal_source}/tsconfig.json
          ${portal_source}/vite.config.js
  WORKING_DIRECTORY ${portal_source}
  COMMENT "Building the portal"
  VERBATIM)
