# Hashes of Devise, with and without a pepper, one JSON object a line.

require "json"
require "devise"
require "devise/encryptor"

version = Gem.loaded_specs["devise"]&.version || Gem::Specification.find_by_name("devise").version

def application(pepper)
  Class.new do
    define_singleton_method(:pepper) { pepper }
    define_singleton_method(:stretches) { 5 }
  end
end

# A real one has 128 digits, so that bcrypt cuts it.
pepper = "0123456789abcdef" * 8

JSON.parse(File.read(ARGV[0])).each do |password|
  next if password.bytesize > 72

  { "Devise" => nil, "Devise with a pepper" => pepper }.each do |system, pepper|
    made = Devise::Encryptor.digest(application(pepper), password)
    how = pepper ? { devise: made } : { text: made }
    puts JSON.generate({ system:, made_by: "devise #{version}", password: }.merge(how))
  end
end
